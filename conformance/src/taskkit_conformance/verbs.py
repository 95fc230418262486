"""What the checks of the model lane do again and again, one line each.

Nothing here judges the property that is tested. What has to work before anything can be tested is
demanded in words, too, so that a failure says what went wrong first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from taskkit import Kit, ScheduleEntry
from taskkit.clock import SECOND
from taskkit.errors import InvalidInput
from taskkit.records import Claim, Heartbeat, Outcome, Query, Record, Settlement, WorkerInfo
from taskkit.task import NOW, Failure, Instant, NewTask, State
from taskkit_conformance.case import Case
from taskkit_conformance.plain import PlainHandler

HOUR: Final = 3600 * SECOND
BOOM: Final = Failure("ValueError", "boom", "Traceback …\nValueError: boom")
ENDS: Final = tuple(Outcome)
"""Every way to end a claim."""


# ---- tasks


def add(case: Case, group: str = "g", **fields: Any) -> str:
    """Put a new task and return its id."""
    task = case.task(group, **fields)
    put(case, task)
    return task.id


def put(case: Case, *tasks: NewTask) -> list[str]:
    """Put new tasks and return their ids."""
    answers = [answer.status for answer in case.backend.put(tasks)]
    if answers != ["put"] * len(tasks):
        case.violated(f"{len(tasks)} new tasks are put", found=answers)
    return [task.id for task in tasks]


def get(case: Case, task_id: str) -> Record:
    """Return the record of a task that has to be there."""
    record = find(case, task_id)
    if record is None:
        case.violated(f"{case.words(task_id)} is known", found="nothing")
    return record


def find(case: Case, task_id: str) -> Record | None:
    """Return the record of a task, None if it is gone."""
    return case.backend.get([task_id])[task_id]


def noted(case: Case, attempts: int) -> int:
    """Return how many entries a history has after so many attempts: none in a store without."""
    return attempts if case.capabilities.history else 0


def state(case: Case, task_id: str) -> State | None:
    """Return the state of a task, None if it is gone."""
    record = find(case, task_id)
    return None if record is None else record.state


def ids(case: Case, **query: Any) -> list[str]:
    """Return the ids that a search finds."""
    return [record.task.id for record in case.backend.find(Query(**query), 1000).records]


def counts(case: Case) -> dict[tuple[str, State], int]:
    """Return how many tasks there are of each group and state."""
    return {(count.group, count.state): count.count for count in case.backend.count()}


# ---- time


def later(case: Case, micros: int) -> int:
    """Move the clock, in either direction, by microseconds that the store can tell apart."""
    step = unit(case)
    steps = -(-abs(micros) // step)
    case.clock.set(case.clock.now() + (steps * step if micros > 0 else -steps * step))
    return case.clock.now()


def unit(case: Case) -> int:
    """Return the smallest difference between two instants that the store keeps."""
    return case.capabilities.time_resolution


# ---- workers and claims


def worker(case: Case, worker_id: str = "w1", lease: int = HOUR) -> str:
    """Register a worker that lives long enough."""
    case.backend.register(WorkerInfo(worker_id, {"g": 8}, "host", 1, "1"), lease)
    return worker_id


def claim_one(case: Case, want: str = "g", worker_id: str = "w1") -> Claim:
    """Claim the one task that has to be there."""
    claims = case.claim(want, 1, worker_id)
    if len(claims) != 1:
        case.violated(f"a claim of {want} gives one task", found=claims)
    return claims[0]


def claimed(
    case: Case,
    want: str = "g",
    most: int = 1,
    *,
    worker_id: str = "w1",
    excluding: Collection[str] = (),
) -> list[str]:
    """Claim and return ids."""
    answer = case.backend.claim(worker_id, {want: most}, excluding)
    return [claim.task.id for claim in answer.claims]


def drained(case: Case, want: str = "g", sizes: Collection[int] = (1,)) -> list[str]:
    """Claim until nothing is given, so many at a time in turn, and return the ids in order."""
    given: list[str] = []
    sizes = list(sizes)
    for turn in range(200):
        got = claimed(case, want, sizes[turn % len(sizes)])
        if not got:
            break
        given += got
    else:
        case.violated("after 200 claims nothing is left to be claimed", found=given[-5:])
    return given


def beat(
    case: Case,
    worker_id: str = "w1",
    *held: Claim,
    lease: int = HOUR,
    progress: Mapping[str, bytes] | None = None,
) -> Heartbeat:
    """Send a heartbeat that names these claims."""
    pairs = [(claim.task.id, claim.token) for claim in held]
    return case.backend.heartbeat(worker_id, lease, pairs, progress or {})


def settle(
    case: Case,
    claim: Claim,
    outcome: Outcome = Outcome.SUCCEED,
    *,
    worker_id: str = "w1",
    result: bytes = b"done",
    failure: Failure | None = None,
    due: Instant | None = NOW,
) -> bool:
    """End a claim and return whether that stands."""
    if failure is None and outcome in (Outcome.FAIL, Outcome.RETRY):
        failure = BOOM
    one = Settlement(claim.task.id, claim.token, outcome, result, failure, due)
    [stands] = case.backend.settle(worker_id, [one])
    return stands


def end(case: Case, claim: Claim, outcome: Outcome = Outcome.SUCCEED, **rest: Any) -> None:
    """End a live claim."""
    if not settle(case, claim, outcome, **rest):
        case.violated(f"ending a live claim ({outcome}) stands", found=False)


def run(case: Case, outcome: Outcome = Outcome.SUCCEED, group: str = "g") -> str:
    """Claim one task, end it and return its id."""
    claim = claim_one(case, group)
    end(case, claim, outcome)
    return claim.task.id


def die(case: Case, way: str, group: str = "g") -> Claim:
    """Let a worker claim the next task and die with it: by ``reclaim``, ``retire`` or ``LOSE``."""
    worker_id = worker(case, "dying", 10 * SECOND)
    claim = claim_one(case, group, worker_id)
    if way == "reclaim":
        later(case, 10 * SECOND)
        case.backend.reclaim()
    elif way == "retire":
        case.backend.retire(worker_id, lost=True)
    else:
        end(case, claim, Outcome.LOSE, worker_id=worker_id)
        case.backend.retire(worker_id)
    return claim


DEATHS: Final = ("reclaim", "retire", "settle")


def bring(case: Case, wanted: State, group: str = "g", **fields: Any) -> str:
    """Put a task, alone in its group, and bring it into a state."""
    if wanted is State.WAITING:
        return add(case, group, due=case.clock.now() + HOUR // 2, **fields)
    if wanted is State.LOST:
        fields["on_lost"] = "keep"
    task_id = add(case, group, **fields)
    if wanted is State.CANCELLED:
        case.backend.cancel([task_id])
    elif wanted is not State.QUEUED:
        name = worker(case, f"maker of {case.words(task_id)}")
        claim = claim_one(case, group, name)
        if wanted is State.SUCCEEDED:
            end(case, claim, worker_id=name)
        elif wanted is State.FAILED:
            end(case, claim, Outcome.FAIL, worker_id=name)
        elif wanted is State.LOST:
            case.backend.retire(name, lost=True)
    if state(case, task_id) is not wanted:
        case.violated(
            f"{case.words(task_id)} can be brought to be {wanted}", found=get(case, task_id)
        )
    return task_id


# ---- above the backend


def kit_of(case: Case) -> Kit:
    """Return a kit on the backend: what it refuses never comes to the store."""
    return Kit(case.backend, PlainHandler())


@contextmanager
def refused(case: Case, what: str, error: type[Exception] = InvalidInput) -> Iterator[None]:
    """Demand that what is done within is refused."""
    case.met()
    try:
        yield
    except error:
        return
    case.violated(f"{what} is refused with {error.__name__}", found="accepted")


def entry(key: str, schedule: Any, **options: Any) -> ScheduleEntry:
    """Return an entry whose tasks are named by its key."""
    return ScheduleEntry(key, schedule, "g", key, b"", **options)


def ticks_of(case: Case, key: str | None = None) -> list[int]:
    """Return the ticks of all tasks of an entry, in order."""
    records = case.backend.find(Query(name=key), 5000).records
    return sorted(record.task.scheduled or 0 for record in records)


# ---- cost


def go_quietly(case: Case) -> None:
    """Go on with a client that writes nothing down: for thousands of tasks, and to reckon cost."""
    case.backend = case.harness.open(case.namespace, case.clock)
    case.opened.append(case.backend)
    case.log.append("(the rest is too much to be written down)")


def calls(action: Callable[[], object]) -> int:
    """Return how many Python functions an action calls: a cost that no other process changes."""
    count = 0

    def watch(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        action()
    finally:
        sys.setprofile(before)
    return count
