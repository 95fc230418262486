"""What a task remembers of its attempts, and what it is labelled with."""

from __future__ import annotations

from hypothesis import strategies as st

from taskkit.clock import SECOND
from taskkit.records import Attempt, Outcome
from taskkit.task import WORKER_DIED, State
from taskkit_conformance import values
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import (
    DEATHS,
    add,
    beat,
    bring,
    claim_one,
    die,
    end,
    get,
    ids,
    later,
    put,
    worker,
)


@proves("HIS-01")
def each_ended_attempt_leaves_its_traces(case: Case) -> None:
    """Number, times, worker, outcome, failure; the newest are kept, releases leave nothing."""
    most = case.draw(st.sampled_from([10, 10, 3, 2, 1, 0]))
    task_id = add(case, max_history=most, max_lost=100)
    expected: list[Attempt] = []
    ways = st.sampled_from([Outcome.RETRY, Outcome.RETRY, Outcome.RELEASE, "requeue", *DEATHS])
    for way in [*case.draw(st.lists(ways, min_size=2, max_size=4)), Outcome.SUCCEED]:
        name = worker(case, case.draw(st.sampled_from(["w1", "w2"])))
        later(case, case.draw(st.integers(0, 3)) * SECOND)
        number = len(expected) + 1
        if way in DEATHS:
            began = case.clock.now()
            die(case, way)
            kept = get(case, task_id).history[-1:]
            cause = kept[0].failure if kept else None
            if cause is not None:
                case.equal(cause.type, WORKER_DIED, "the cause of a lost attempt")
            expected.append(Attempt(number, began, case.clock.now(), "dying", "lost", cause))
            continue
        claim = claim_one(case, worker_id=name)
        later(case, case.draw(st.integers(0, 3)) * SECOND)
        outcome = Outcome.FAIL if way == "requeue" else Outcome(way)
        failing = outcome in (Outcome.RETRY, Outcome.FAIL)
        failure = case.draw(values.failures()) if failing else None
        end(case, claim, outcome, worker_id=name, failure=failure)
        if outcome is not Outcome.RELEASE:
            times = (claim.began, case.clock.now())
            expected.append(Attempt(number, *times, name, outcome, failure))
        if way == "requeue":
            case.backend.requeue([task_id], case.clock.now())
    record = get(case, task_id)
    case.equal(list(record.history), expected[-most:] if most else [], "the history")
    case.equal(record.attempt, len(expected), "the attempt, whatever is kept")


@proves("HIS-01")
def the_newest_attempts_are_kept_oldest_first(case: Case) -> None:
    """As many as the task wants, ten by default."""
    worker(case)
    most = case.draw(st.sampled_from([None, 1, 3, 10]))
    task_id = add(case, **({} if most is None else {"max_history": most}))
    count = case.draw(st.integers(11, 13))
    for _ in range(count):
        end(case, claim_one(case), Outcome.RETRY)
    kept = [attempt.attempt for attempt in get(case, task_id).history]
    expected = list(range(count + 1 - (most or 10), count + 1))
    case.equal(kept, expected, f"the attempts that are kept of {count}")


@proves("HIS-02")
def labels_round_trip_with_their_types(case: Case) -> None:
    """In every state, and in the claim."""
    labels = case.draw(values.labels())
    wanted = case.draw(st.sampled_from(list(State)))
    task_id = bring(case, wanted, labels=labels)
    found = dict(get(case, task_id).task.labels)
    case.equal(found, labels, f"the labels of a {wanted} task")
    types = {key: type(value).__name__ for key, value in found.items()}
    expected = {key: type(value).__name__ for key, value in labels.items()}
    case.equal(types, expected, "the types of the labels")


@proves("HIS-02")
def progress_round_trips_through_the_heartbeat(case: Case) -> None:
    """Of the tasks that it names and that the worker runs; the others keep theirs."""
    worker(case)
    worker(case, "w2")
    put(case, case.task(), case.task())
    one, two = case.claim(most=2)
    foreign_id = add(case)
    foreign = claim_one(case, worker_id="w2")
    queued = add(case)
    nobody = case.task().id
    expected: dict[str, bytes | None] = {one.task.id: None, two.task.id: None}
    for _ in range(case.draw(st.integers(1, 3))):
        told = case.draw(st.dictionaries(st.sampled_from(sorted(expected)), values.blobs()))
        beat(case, "w1", one, two, progress={**told, foreign_id: b"x", queued: b"x", nobody: b"x"})
        expected |= told
        found = {task_id: get(case, task_id).progress for task_id in expected}
        case.equal(found, expected, "the progress of both tasks")
    strangers = [get(case, task_id).progress for task_id in (foreign_id, queued)]
    case.equal(strangers, [None, None], "the progress of tasks that the worker does not run")
    beat(case, "w2", foreign, progress={foreign_id: b""})
    case.equal(get(case, foreign_id).progress, b"", "empty progress")


@proves("HIS-03")
def tasks_are_found_by_all_their_labels(case: Case) -> None:
    """All that are asked for, with the right types: each pair alone, and some together."""
    few = st.sampled_from(["1", 1, True, 0, False, "", 2.5, "2.5", "True"])
    key = st.sampled_from(["k", "K", "a.b", "%"])
    one = case.draw(st.permutations([1, True, "1"]))
    drawn = [{"k": one[0]}, {"k": one[1], "K": one[0]}]
    drawn += case.draw(st.lists(st.dictionaries(key, few, max_size=3), min_size=1, max_size=3))
    tasks = [case.task(labels=labels) for labels in drawn]
    put(case, *tasks)
    pairs = [{name: value} for labels in drawn for name, value in labels.items()]
    for asked in [*pairs, *drawn, {"k": one[2]}, {"absent": 1}]:
        expected = [
            task.id
            for task, labels in zip(tasks, drawn, strict=True)
            if all(name in labels and _same(labels[name], value) for name, value in asked.items())
        ]
        case.equal(ids(case, labels=asked), sorted(expected), f"what is found by {asked}")


def _same(one: object, two: object) -> bool:
    return one == two and isinstance(one, bool) == isinstance(two, bool)


@proves("HIS-03")
def hostile_labels_are_text_like_any_other(case: Case) -> None:
    """As keys and as values."""
    one, two = case.draw(values.alike())
    mine = bring(case, case.draw(st.sampled_from(list(State))), labels={one: two, "k": one})
    other = add(case, "g2", labels={two: one, "k": two})
    case.equal(ids(case, labels={one: two}), [mine], f"what is found by {one!r}: {two!r}")
    case.equal(ids(case, labels={"k": two}), [other], f"what is found by k: {two!r}")
    case.equal(ids(case, labels={one: one}), [], f"what is found by {one!r}: {one!r}")
