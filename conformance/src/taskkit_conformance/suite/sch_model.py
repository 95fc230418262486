"""The state of schedulers: compare-and-set, together with the tasks of a tick."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Limits
from taskkit.task import State
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import add, counts, find, get, ids, state


@proves("SCH-01")
def state_and_tasks_are_stored_together(case: Case) -> None:
    """Keys are respected; a full queue does not hold a schedule back."""
    now = case.clock.now()
    holder = add(case, unique_key="k")
    case.backend.configure("g", Limits(max_queue_size=case.draw(st.sampled_from([0, 1, 9]))))
    offsets = case.draw(st.lists(st.integers(-2, 2), min_size=1, max_size=4))
    tasks = [case.task(due=now + n * SECOND, scheduled=now + n * SECOND) for n in offsets]
    double = case.task(unique_key="k")
    data = case.draw(values.blobs())
    advanced = case.backend.advance_schedule("main", 0, data, [*tasks, double])
    case.equal(advanced, True, "the answer to the first advance")
    found = case.backend.load_schedule("main")
    case.equal((found.version, found.state), (1, data), "version and state")
    for task, offset in zip(tasks, offsets, strict=True):
        expected = State.WAITING if offset > 0 else State.QUEUED
        case.equal(state(case, task.id), expected, "the state of the task of a tick")
        case.equal(get(case, task.id).task.scheduled, task.scheduled, "its tick")
    case.equal(find(case, double.id), None, "a tick whose unique key is taken")
    case.equal(ids(case), sorted([holder, *(task.id for task in tasks)]), "all tasks")


@proves("SCH-01")
def an_advance_that_fails_stores_nothing(case: Case) -> None:
    """Neither the state nor the other tasks are there."""
    good = [case.task() for _ in range(case.draw(st.integers(1, 3)))]
    bad = case.task(due="soon", data=object())  # no store can order or keep that
    place = case.draw(st.integers(0, len(good)))
    try:
        case.backend.advance_schedule("main", 0, b"state", [*good[:place], bad, *good[place:]])
    except Exception:  # noqa: BLE001 - what it raises is not the question
        found = case.backend.load_schedule("main")
        case.equal((found.version, found.state), (0, None), "version and state after the failure")
        known = [find(case, task.id) for task in good]
        case.equal(known, [None] * len(good), "the tasks after the failure")
    else:  # a store that keeps objects has nothing to fail at
        case.equal(case.backend.load_schedule("main").version, 1, "the version")


@proves("SCH-02")
def an_outdated_version_changes_nothing(case: Case) -> None:
    """Whatever was stored meanwhile, also the same bytes; the loser is told."""
    states = case.draw(st.lists(st.sampled_from([b"a", b"b", b""]), min_size=1, max_size=3))
    for version, data in enumerate(states):
        case.equal(case.backend.load_schedule("main").version, version, "the version")
        advanced = case.backend.advance_schedule("main", version, data, [])
        case.equal(advanced, True, f"an advance from version {version}")
    wrong = case.draw(st.sampled_from([n for n in range(6) if n != len(states)]))
    task = case.task()
    late = case.draw(st.sampled_from([states[-1], b"late"]))
    advanced = case.backend.advance_schedule("main", wrong, late, [task])
    case.equal(advanced, False, f"an advance from version {wrong} of {len(states)}")
    found = case.backend.load_schedule("main")
    case.equal((found.version, found.state), (len(states), states[-1]), "version and state")
    case.equal(find(case, task.id), None, "the task of the loser")


@proves("SCH-02")
def the_first_version_is_zero(case: Case) -> None:
    """Any other is refused before the first store."""
    wrong = case.draw(st.integers(1, 9))
    advanced = case.backend.advance_schedule("main", wrong, b"s", [case.task()])
    case.equal(advanced, False, f"a first advance from version {wrong}")
    case.equal(case.backend.load_schedule("main").version, 0, "the version")
    case.equal(counts(case), {}, "the tasks")


@proves("SCH-03")
def a_tick_that_is_put_twice_is_one_task(case: Case) -> None:
    """In one advance or in two, by this scheduler or by a put; the state goes on."""
    worker = case.worker()
    tick = case.task(data=b"first")
    again = case.task(id=tick.id, data=b"again")
    way = case.draw(st.sampled_from(["one advance", "two advances", "put", "finished", "other"]))
    if way == "one advance":
        tasks, version = [tick, again], 0
    else:
        tasks, version = [again, case.task()], 1
        if way == "put":
            case.backend.put([tick])
            case.backend.advance_schedule("main", 0, b"0", [])
        else:
            case.backend.advance_schedule("main", 0, b"0", [tick] if way != "other" else [])
            if way == "other":
                case.backend.advance_schedule("other", 0, b"0", [tick])
        if way == "finished":
            case.backend.claim(worker, {"g": 1})
            case.backend.cancel([tick.id])
            case.backend.retire(worker)
    before = find(case, tick.id)
    advanced = case.backend.advance_schedule("main", version, b"next", tasks)
    case.equal(advanced, True, f"the answer to an advance with a known tick ({way})")
    found = case.backend.load_schedule("main")
    case.equal((found.version, found.state), (version + 1, b"next"), "version and state")
    case.equal(get(case, tick.id).task.data, b"first", "the data of the tick")
    if before is not None:
        case.equal(find(case, tick.id), before, "the record of the tick")
    case.equal(sum(counts(case).values()), 1 if way == "one advance" else 2, "how many tasks")


@proves("SCH-04")
def state_round_trips_exactly(case: Case) -> None:
    """Absent before the first store, bytes after it, empty ones too."""
    found = case.backend.load_schedule("main")
    case.equal((found.version, found.state), (0, None), "version and state before the first store")
    case.equal(found.now, case.clock.now(), "the store's now")
    for version, data in enumerate(case.draw(st.lists(values.blobs(), min_size=1, max_size=3))):
        case.backend.advance_schedule("main", version, data, [])
        found = case.backend.load_schedule("main")
        case.equal(found.state, data, "the state")
        case.equal(found.version, version + 1, "the version")


@proves("SCH-05")
def schedules_of_different_names_are_independent(case: Case) -> None:
    """However alike the names."""
    one, two = case.draw(values.alike())
    case.backend.advance_schedule(one, 0, b"one", [])
    case.equal(case.backend.load_schedule(two).version, 0, f"the version of {two!r}")
    case.equal(case.backend.advance_schedule(two, 0, b"two", []), True, f"an advance of {two!r}")
    case.backend.advance_schedule(one, 1, b"more", [])
    found = [(each.version, each.state) for each in map(case.backend.load_schedule, (one, two))]
    case.equal(found, [(2, b"more"), (1, b"two")], f"versions and states of {one!r} and {two!r}")
