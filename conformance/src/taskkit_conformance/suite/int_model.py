"""Looking in: what is found where, and that looking changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Limits, Outcome, Query, WorkerInfo
from taskkit.task import NOW, NewTask, State, Task
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    HOUR,
    add,
    beat,
    bring,
    claim_one,
    claimed,
    end,
    get,
    ids,
    later,
    put,
    unit,
    worker,
)


@proves("INT-01")
def waiting_and_queued_are_found_by_the_clock(case: Case) -> None:
    """Told apart by due and now, in order, the limit exact."""
    step = case.capabilities.time_resolution
    now = case.clock.now()
    count = case.draw(st.integers(2, 5))
    offsets = case.draw(st.lists(st.integers(-2, 2), min_size=count, max_size=count))
    tasks = {add(case, due=now + offset * step): offset for offset in offsets}
    moment = case.draw(st.integers(-2, 2))
    later(case, moment * step)
    queued = sorted(task_id for task_id, offset in tasks.items() if offset <= moment)
    waiting = sorted(set(tasks) - set(queued))
    case.equal(ids(case, states=[State.QUEUED]), queued, "what is found queued")
    case.equal(ids(case, states=[State.WAITING]), waiting, "what is found waiting")
    both = Query(states=[State.WAITING, State.QUEUED])
    for limit in (0, 1, count - 1, count, count + 1):
        found = [record.task.id for record in case.backend.find(both, limit).records]
        case.equal(found, sorted(tasks)[:limit], f"what a page of {limit} shows")


@proves("INT-02")
def running_tasks_are_found_with_their_claims(case: Case) -> None:
    """Exactly those, with worker, token, attempt and ``began``, also in a later attempt."""
    workers = [worker(case, "w1"), worker(case, "w2")]
    put(case, *[case.task() for _ in range(4)])
    live: dict[str, tuple[Any, ...]] = {}
    for _ in range(case.draw(st.integers(2, 5))):
        later(case, case.draw(st.integers(0, 3)) * SECOND)
        name = case.draw(st.sampled_from(workers))
        for claim in case.claim(most=case.draw(st.integers(1, 2)), worker_id=name):
            live[claim.task.id] = (name, claim.token, claim.attempt, claim.began)
            if case.draw(st.booleans()):
                end(case, claim, case.draw(st.sampled_from([Outcome.RETRY, Outcome.SUCCEED])))
                del live[claim.task.id]
    found = {
        record.task.id: (record.worker_id, record.token, record.attempt, record.began)
        for record in case.backend.find(Query(states=[State.RUNNING]), 10).records
    }
    case.equal(found, live, "worker, token, attempt and began of what runs")
    numbers = {each.info.id: each.running for each in case.backend.workers()}
    expected = {name: sum(claim[0] == name for claim in live.values()) for name in workers}
    case.equal(numbers, expected, "how many tasks each worker runs")


def _fields(case: Case, now: int) -> dict[str, Any]:
    """Draw what a put may give: every field, or one alone, which a short way may overlook."""
    text = values.texts(200)
    instants = st.sampled_from([None, 0, now, now + 1_234_567])
    whole = {
        "name": text,
        "data": values.blobs(),
        "due": st.sampled_from([0, now - 123_457 * 8, now]),
        "priority": values.priorities(),
        "scheduled": instants,
        "ttl": st.sampled_from([0.0, 12.25, 1e9]),
        "timeout": st.sampled_from([None, 0.5, 1e-06]),
        "expires": st.sampled_from([None, now + HOUR]),
        "unique_key": st.none() | text,
        "unique_scope": st.sampled_from(["queued", "unfinished"]),
        "lock_key": st.none() | text,
        "lock_limit": st.sampled_from([4, 10_000]),  # 1, the default, wherever it is not drawn
        "on_lost": st.sampled_from(["retry", "keep", "fail"]),
        "max_lost": st.sampled_from([1, 3, 1000]),
        "max_history": st.sampled_from([0, 10, 1000]),
        "labels": values.labels(),
    }
    alone = st.sampled_from(sorted(whole)).flatmap(
        lambda name: st.fixed_dictionaries({name: whole[name]})
    )
    drawn = st.fixed_dictionaries(whole) | alone
    return {
        name: value - value % case.capabilities.time_resolution
        if name in ("due", "scheduled", "expires") and value is not None
        else value
        for name, value in case.draw(drawn).items()
    }


def _same_task(case: Case, found: Task, expected: Task, when: str) -> None:
    for each in fields(Task):
        one, two = getattr(found, each.name), getattr(expected, each.name)
        if each.name == "labels":
            one, two = dict(one), dict(two)
        case.equal(one, two, f"{each.name} {when}")


@proves("INT-03", examples=1.5)
def a_lookup_gives_the_task_as_it_was_put(case: Case) -> None:
    """Field by field, with exact types, waiting to be claimed, running and finished."""
    worker(case)
    later(case, 3 * SECOND)
    group = case.draw(values.groups())
    new = case.task(group, **_fields(case, case.clock.now()))
    put(case, new)
    given = {name: getattr(new, name) for name in NewTask.__slots__}
    given["due"] = case.clock.now() if new.due == NOW else new.due
    task = Task(**given, created=case.clock.now(), retry_count=0)
    _same_task(case, get(case, new.id).task, task, "after the put")
    later(case, SECOND)
    claim = claim_one(case, group)
    _same_task(case, claim.task, task, "in the claim")
    _same_task(case, get(case, new.id).task, task, "while it runs")
    end(case, claim, case.draw(st.sampled_from([Outcome.SUCCEED, Outcome.FAIL, Outcome.CANCEL])))
    _same_task(case, get(case, new.id).task, task, "when it is finished")
    [found] = case.backend.find(Query(group=group), 5).records
    _same_task(case, found.task, task, "in a search")


@proves("INT-03")
def a_search_gives_whole_records(case: Case) -> None:
    """The same as a lookup, in every state; and the caller's labels are the caller's."""
    labels: dict[str, Any] = {"a": 1}
    wanted = case.draw(st.lists(st.sampled_from(list(State)), min_size=1, max_size=4))
    for number, each in enumerate(wanted):
        bring(case, each, f"g{number}", labels=labels, data=case.draw(values.blobs()))
    labels["a"] = "changed"
    for record in case.backend.find(Query(), 100).records:
        case.equal(record, get(case, record.task.id), "a record that was found")
        case.equal(dict(record.task.labels), {"a": 1}, "its labels")


@proves("INT-04")
def reading_changes_nothing(case: Case) -> None:
    """Whatever is read, in any order; nothing becomes claimable or gets lost by it."""
    worker(case)
    # Not asked for: a read that changes something must not come before what it is compared with.
    task_ids = [
        bring(case, wanted, f"g{number}", ttl=0.0, lock_key="k", unique_key="u")
        for number, wanted in enumerate(case.draw(_STATES))
    ]
    worker(case, "expired", SECOND)
    case.backend.pause(["g0.x"], case.clock.now() + HOUR)
    case.backend.configure("g1", Limits(max_running=1))
    later(case, SECOND)
    reads: dict[str, Callable[[], object]] = {
        "get": lambda: case.backend.get(task_ids),
        "find": lambda: case.backend.find(Query(), 100),
        "count": case.backend.count,
        "workers": case.backend.workers,
        "control": case.backend.control,
        "load_schedule": lambda: case.backend.load_schedule("s"),
    }
    before = {name: read() for name, read in reads.items()}
    for name in case.draw(st.lists(st.sampled_from(sorted(reads)), min_size=1, max_size=6)):
        reads[name]()
        for other in case.draw(st.permutations(sorted(reads))):
            case.equal(reads[other](), before[other], f"what {other} tells after {name}")


_STATES = st.lists(st.sampled_from(list(State)), min_size=2, max_size=4)


@proves("INT-05")
def workers_are_listed_by_expiry(case: Case) -> None:
    """Then by id; with what they said; the expired ones too, until they are removed."""
    leases = case.draw(st.lists(st.integers(1, 4), min_size=2, max_size=5))
    told: dict[str, tuple[WorkerInfo, int, int]] = {}
    for number, lease in enumerate(leases):
        later(case, case.draw(st.integers(0, 1)) * SECOND)
        name = f"{case.draw(st.sampled_from('wWé'))}{number}"
        groups = case.draw(st.dictionaries(values.groups(), st.integers(1, 99), max_size=2))
        version = case.draw(st.sampled_from(["", "1.0+é"]))
        info = WorkerInfo(name, groups, case.draw(values.texts(50)), 2**31, version)
        case.backend.register(info, lease * SECOND)
        told[name] = (info, case.clock.now(), case.clock.now() + lease * SECOND)
    # To where at least one lease is over, or one step before.
    end = case.draw(st.sampled_from([expires for _, _, expires in told.values()]))
    before = case.draw(st.sampled_from([0, 0, unit(case)]))
    later(case, max(0, end - before - case.clock.now()))
    expected = sorted(told.values(), key=lambda each: (each[2], each[0].id))
    found = [(each.info, each.registered, each.expires) for each in case.backend.workers()]
    case.equal(found, expected, "the workers")
    case.backend.reclaim()
    left = [each for each in expected if each[2] > case.clock.now()]
    found = [(each.info, each.registered, each.expires) for each in case.backend.workers()]
    case.equal(found, left, "the workers after a reclaim")


@proves("INT-07")
def pages_show_what_does_not_change_once(case: Case) -> None:
    """While others are deleted, claimed, settled and put between the pages."""
    worker(case)
    drawn = case.draw(values.number_ids("g", 8))
    put(case, *[case.task(id=task_id) for task_id in drawn])
    touched: set[str] = set()
    limit = case.draw(st.integers(1, 4))
    seen: list[str] = []
    after = None
    for turn in range(20):
        page = case.backend.find(Query(), limit, after)
        seen += [record.task.id for record in page.records]
        after = page.next
        if after is None:
            break
        victim = drawn[case.draw(st.integers(0, len(drawn) - 1))]
        change = case.draw(st.sampled_from(["delete", "put", "claim", "cancel"]))
        if change == "delete":
            case.backend.delete([victim])
            touched.add(victim)
        elif change == "cancel":
            case.backend.cancel([victim])
        elif change == "put":
            touched.add(add(case))
        elif turn < 2:
            claimed(case, most=2)
    still = [task_id for task_id in seen if task_id not in touched]
    expected = sorted(task_id for task_id in drawn if task_id not in touched)
    case.equal(still, expected, "what the pages show of the tasks that stayed")


@proves("INT-08")
def clear_leaves_nothing(case: Case) -> None:
    """No task, worker, schedule, pause, limit, key, lock; and a later life is not hindered."""
    worker(case)
    for number, wanted in enumerate(case.draw(_STATES)):
        bring(case, wanted, f"g{number}", unique_key="k", lock_key="k")
    task_id = add(case, unique_key="k", lock_key="k")
    old = claim_one(case)
    add(case, unique_key="k", lock_key="k")
    case.backend.pause(case.draw(st.sampled_from([None, ["g"]])))
    case.backend.configure("g", Limits(max_running=1, max_queue_size=1))
    case.backend.advance_schedule("s", 0, b"state", [])
    case.backend.clear()
    if case.draw(st.booleans()):
        case.backend.clear()
    control, schedule = case.backend.control(), case.backend.load_schedule("s")
    left = (case.backend.count(), ids(case), case.backend.workers())
    case.equal(left, ([], [], []), "counts, tasks and workers after clear")
    limits = {group: one for group, one in control.limits.items() if one != Limits()}
    case.equal((dict(control.pauses), limits), ({}, {}), "pauses and limits after clear")
    case.equal((schedule.version, schedule.state), (0, None), "the schedule after clear")
    case.equal(case.backend.claim("w1", {"g": 1}).alive, False, "whether the worker is alive")
    worker(case)
    again = [case.task(id=task_id, unique_key="k", lock_key="k"), case.task()]
    put(case, *again)
    case.equal(beat(case, "w1", old).paused, frozenset(), "what is paused in the new life")
    given = sorted(claimed(case, most=5))
    case.equal(given, sorted(task.id for task in again), "what can be claimed in the new life")


@proves("INT-09")
def two_namespaces_do_not_see_each_other(case: Case) -> None:
    """Tasks of one id, workers of one name, schedules, pauses; nor does clear."""
    place = case.provision()
    other = case.harness.open(place, case.clock)
    case.opened.append(other)
    other.migrate()
    other = case.record(other, "other namespace")
    task = case.task(unique_key="k", data=b"here")
    put(case, task)
    case.equal(other.get([task.id]), {task.id: None}, "what the other one knows of it")
    theirs = case.task(id=task.id, unique_key="k", data=b"there")
    case.equal([a.status for a in other.put([theirs])], ["put"], "a put of the same id there")
    worker(case)
    case.equal(other.workers(), [], "the workers that the other one knows")
    case.backend.advance_schedule("s", 0, b"x", [])
    case.equal(other.load_schedule("s").version, 0, "the schedule that the other one knows")
    case.backend.pause(None)
    case.equal(dict(other.control().pauses), {}, "the pauses that the other one knows")
    doer = case.draw(st.sampled_from(["clear", "delete"]))
    other.clear() if doer == "clear" else other.delete([task.id])
    case.equal(get(case, task.id).task.data, b"here", f"the task here after {doer} there")
    case.equal(len(case.backend.workers()), 1, f"the workers here after {doer} there")
