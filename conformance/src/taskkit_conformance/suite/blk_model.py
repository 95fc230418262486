"""Many at once: all or nothing, in order, without double."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.errors import InvalidTask, QueueFull
from taskkit.records import Answered, Limits, Outcome, Settlement
from taskkit.task import State
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    add,
    beat,
    bring,
    counts,
    find,
    get,
    go_quietly,
    kit_of,
    later,
    noted,
    put,
    refused,
    worker,
)

_NAMES = ("cancel", "requeue", "reschedule", "delete")


@proves("BLK-01")
def a_call_with_nothing_in_it_does_nothing(case: Case) -> None:
    """In any state, in any order."""
    worker(case)
    task_id = bring(case, case.draw(st.sampled_from(list(State))))
    before = get(case, task_id)
    now = case.clock.now()
    calls: dict[str, tuple[Callable[[], object], object]] = {
        "put": (lambda: case.backend.put([]), []),
        "settle": (lambda: case.backend.settle("w1", []), []),
        "get": (lambda: case.backend.get([]), {}),
        "claim": (lambda: list(case.backend.claim("w1", {}).claims), []),
        "cancel": (lambda: case.backend.cancel([]), {}),
        "requeue": (lambda: case.backend.requeue([], now), {}),
        "reschedule": (lambda: case.backend.reschedule([], now), {}),
        "delete": (lambda: case.backend.delete([]), {}),
        "count": (lambda: case.backend.count([]), []),
        "pause": (lambda: case.backend.pause([]), None),
        "purge": (lambda: case.backend.purge(states=[]), 0),
    }
    for name in case.draw(st.permutations(sorted(calls))):
        call, expected = calls[name]
        case.equal(call(), expected, f"the answer to {name} of nothing")
    case.equal(get(case, task_id), before, "the record after all of them")


@proves("BLK-02")
def a_bulk_put_ends_like_its_parts(case: Case) -> None:
    """Each member keeps its own values, and is answered in its place."""
    now = case.clock.now()
    known = case.task("h")
    put(case, known)
    tasks = [
        case.task(
            case.draw(st.sampled_from(["g", "h", "g.x"])),
            name=f"n{number}",
            due=now + case.draw(st.integers(-2, 2)) * SECOND,
            priority=case.draw(values.priorities()),
            ttl=case.draw(st.sampled_from([1.0, 2.0])),
            labels=case.draw(st.sampled_from([{}, {"n": number}])),
            lock_key=case.draw(st.sampled_from([None, "l"])),
            data=case.draw(st.binary(max_size=3)),
        )
        for number in range(case.draw(st.integers(2, 5)))
    ]
    place = case.draw(st.integers(0, len(tasks)))
    batch = [*tasks[:place], known, *tasks[place:]]
    answers = [(answer.id, answer.status) for answer in case.backend.put(batch)]
    expected = [(task.id, "known" if task is known else "put") for task in batch]
    case.equal(answers, expected, "the answers of a bulk put")
    for task in tasks:
        stored = get(case, task.id).task
        for name in ("group", "name", "due", "priority", "ttl", "labels", "lock_key", "data"):
            found = getattr(stored, name)
            found = dict(found) if name == "labels" else found
            case.equal(found, getattr(task, name), f"{name} of {case.words(task.id)}")


@proves("BLK-02")
def a_bulk_put_is_answered_like_its_parts(case: Case) -> None:
    """Ids and keys that come again, in any order: each is answered in its place."""
    holder = case.task(unique_key="k", data=b"holder")
    put(case, holder)
    keys = st.lists(st.sampled_from(["k", "l", None]), min_size=2, max_size=3, unique=True)
    ids = [case.task().id for _ in range(case.draw(st.integers(1, 2)))]
    pairs = [(task_id, key) for task_id in ids for key in case.draw(keys)]
    order = case.draw(st.permutations(pairs))
    batch = [
        case.task(id=task_id, unique_key=key, data=b"%d" % n)
        for n, (task_id, key) in enumerate(order)
    ]
    stored, keyed, expected = {holder.id: holder}, {"k": holder.id}, []
    for task in batch:
        key = task.unique_key
        if task.id in stored:
            expected.append((task.id, "known"))
        elif key in keyed:
            expected.append((keyed[key], "duplicate"))
        else:
            stored[task.id] = task
            keyed |= {key: task.id} if key else {}
            expected.append((task.id, "put"))
    answers = [(answer.id, answer.status) for answer in case.backend.put(batch)]
    case.equal(answers, expected, "the answers of a bulk put, as of puts one by one")
    found = {
        task_id: record and record.task.data for task_id, record in case.backend.get(ids).items()
    }
    right = {task_id: stored[task_id].data if task_id in stored else None for task_id in ids}
    case.equal(found, right, "the data that is stored")


_EXPECTED = {
    Outcome.SUCCEED: State.SUCCEEDED,
    Outcome.FAIL: State.FAILED,
    Outcome.RETRY: State.WAITING,
    Outcome.DISCARD: None,
    Outcome.RELEASE: State.WAITING,
    Outcome.CANCEL: State.CANCELLED,
    Outcome.LOSE: State.QUEUED,
}


@proves("BLK-02")
def a_bulk_settle_ends_like_its_parts(case: Case) -> None:
    """All outcomes side by side; what does not stand hinders nobody."""
    worker(case)
    outcomes = case.draw(st.lists(st.sampled_from(list(Outcome)), min_size=2, max_size=6))
    put(case, *[case.task() for _ in outcomes])
    claims = case.claim(most=len(outcomes))
    stale = case.draw(st.sets(st.integers(0, len(outcomes) - 1), max_size=2))
    due = case.clock.now() + SECOND
    batch = [
        Settlement(c.task.id, c.token - (n in stale), outcome, b"%d" % n, due=due)
        for n, (c, outcome) in enumerate(zip(claims, outcomes, strict=True))
    ]
    stands = case.backend.settle("w1", batch)
    case.equal(stands, [n not in stale for n in range(len(batch))], "which of the batch stand")
    for number, (claim, outcome) in enumerate(zip(claims, outcomes, strict=True)):
        record = find(case, claim.task.id)
        expected = State.RUNNING if number in stale else _EXPECTED[outcome]
        what = f"the state of {case.words(claim.task.id)} after {outcome}"
        case.equal(record and record.state, expected, what)
        if record is not None and record.state is State.SUCCEEDED:
            case.equal(record.result, b"%d" % number, f"the result of {case.words(claim.task.id)}")


@proves("BLK-03")
def one_invalid_member_rejects_the_whole_call(case: Case) -> None:
    """Wherever it stands: nothing was written, no key is kept."""
    good = [case.task(unique_key=f"k{n}") for n in range(case.draw(st.integers(1, 4)))]
    places = st.integers(0, len(good))
    case.backend.configure("full", Limits(max_queue_size=0))
    wrong = [{"priority": 101}, {"name": ""}, {"data": "text"}, {"ttl": float("nan")}]
    kit = kit_of(case)
    for bad in (case.task("full"), case.task(**case.draw(st.sampled_from(wrong)))):
        place = len(good) - case.draw(places)
        try:
            kit.put_new([*good[:place], bad, *good[place:]])
        except (InvalidTask, QueueFull):
            case.equal(counts(case), {}, "what is there after the refusal")
        else:
            case.violated("the call is refused", found=counts(case))
    answers = [answer.status for answer in case.backend.put(good)]
    case.equal(answers, ["put"] * len(good), "a put of the good ones alone")


@proves("BLK-04")
def the_first_of_two_equal_ids_or_keys_wins(case: Case) -> None:
    """In one call, whatever stands between them."""
    key = case.draw(st.booleans())
    twice = {"unique_key": "k"} if key else {}
    first = case.task(data=b"first", **twice)
    second = case.task(data=b"second", id=None if key else first.id, **twice)
    between = [case.task() for _ in range(case.draw(st.integers(0, 3)))]
    answers = case.backend.put([first, *between, second])
    case.equal(answers[0].status, "put", "the answer to the first")
    expected = (first.id, "duplicate" if key else "known")
    case.equal((answers[-1].id, answers[-1].status), expected, "the answer to the second")
    case.equal(get(case, first.id).task.data, b"first", "the data that is stored")
    case.equal(sum(counts(case).values()), len(between) + 1, "how many tasks there are")


@proves("BLK-04")
def what_is_named_twice_is_done_once(case: Case) -> None:
    """Settlements, and ids of operations."""
    worker(case)
    name = case.draw(st.sampled_from(["settle", *_NAMES]))
    wanted = {"settle": State.RUNNING, "requeue": State.FAILED}.get(name, State.QUEUED)
    task_id = bring(case, wanted)
    if name == "settle":
        one = Settlement(task_id, get(case, task_id).token, Outcome.RETRY)
        case.equal(case.backend.settle("w1", [one, one]), [True, True], "the answers to settle")
        record = get(case, task_id)
        seen = (record.task.retry_count, len(record.history))
        case.equal(seen, (1, noted(case, 1)), "retry_count and length of the history")
        return
    arguments = (case.clock.now(),) if name.startswith("re") else ()
    answer = getattr(case.backend, name)([task_id, task_id], *arguments)
    case.equal(answer, {task_id: Answered.DONE}, f"the answer to {name} of one id, twice")


@proves("BLK-05", examples=0.05)
def the_largest_batch_works(case: Case) -> None:
    """In every call that takes many, beyond a driver's limit of parameters."""
    go_quietly(case)
    worker(case)
    size = min(case.capabilities.max_batch, 10_000)
    tasks = [case.task() for _ in range(size)]
    task_ids = put(case, *tasks)
    case.equal(len(case.backend.get(task_ids)), size, "how many records a lookup gives")
    claims = case.claim(most=size)
    case.equal(len(claims), size, "how many a claim gives")
    case.require(beat(case, "w1", *claims).alive, "a heartbeat that holds them all is answered")
    one = case.draw(st.sampled_from([Outcome.SUCCEED, Outcome.FAIL, Outcome.RETRY]))
    batch = [Settlement(claim.task.id, claim.token, one, b"1") for claim in claims]
    case.equal(sum(case.backend.settle("w1", batch)), size, "how many settlements stand")
    case.equal(list(counts(case).values()), [size], "how many tasks are counted")
    case.equal(len(case.backend.cancel(task_ids)), size, "how many are answered by cancel")
    deleted = list(case.backend.delete(task_ids).values())
    case.equal(deleted.count(Answered.DONE), size, "how many are deleted")
    case.equal(counts(case), {}, "what is left")


@proves("BLK-09", examples=0.25)
def more_than_the_largest_batch_is_refused(case: Case) -> None:
    """With the number that is accepted, and nothing is put."""
    task = case.task()
    most = case.capabilities.max_batch
    number = most + case.draw(st.integers(1, 3))
    with refused(case, f"{number} tasks, {most} being the most"):
        kit_of(case).put_new([task] * number)
    case.equal(find(case, task.id), None, "the task after the refusal")


@proves("BLK-07")
def an_unknown_id_is_no_error(case: Case) -> None:
    """It is answered so, and hinders nobody: in every call that takes ids, in any order."""
    nobody = case.task(case.draw(values.groups())).id
    case.equal(case.backend.retire("nobody", case.draw(st.booleans())), 0, "what nobody leaves")
    first = case.draw(st.booleans())
    for name in _NAMES:
        task_id = bring(case, State.FAILED if name == "requeue" else State.QUEUED, f"of {name}")
        arguments = (case.clock.now(),) if name.startswith("re") else ()
        order = [nobody, task_id] if first else [task_id, nobody]
        answer = getattr(case.backend, name)(order, *arguments)
        expected = {nobody: Answered.UNKNOWN, task_id: Answered.DONE}
        case.equal(answer, expected, f"the answer to {name} of an unknown and a known id")
    task_id = bring(case, State.RUNNING)
    token = get(case, task_id).token
    batch = [Settlement(each, token, Outcome.FAIL) for each in (nobody, task_id)]
    case.equal(case.backend.settle("w1", batch), [False, True], "which settlements stand")
    case.equal(find(case, nobody), None, "the record of the unknown id")


@proves("BLK-08")
def a_lookup_has_one_entry_for_each_id(case: Case) -> None:
    """However often it is named, absent ones included."""
    known = [bring(case, s, f"g{n}") for n, s in enumerate(case.draw(_SOME_STATES))]
    absent = [case.task(group).id for group in case.draw(st.lists(values.groups(), max_size=2))]
    gone = add(case)
    case.backend.delete([gone])
    later(case, 1)
    asked = case.draw(st.lists(st.sampled_from([*known, *absent, gone]), min_size=1, max_size=8))
    found = case.backend.get(asked)
    case.equal(sorted(found), sorted(set(asked)), "the ids of the entries")
    there = {task_id for task_id, record in found.items() if record is not None}
    case.equal(sorted(there), sorted(set(known) & set(asked)), "the ids that have a record")
    for task_id in there:
        case.equal(get(case, task_id), found[task_id], "the record, looked up alone")


_SOME_STATES = st.lists(st.sampled_from(list(State)), min_size=1, max_size=3)
