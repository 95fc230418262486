"""What makes a task claimable, and so has to wake who waits: prepared, then done.

Each way prepares a store in which nothing can be claimed, and returns the task that will be, with
what makes it so; where it can be done by another client than the one that waits, it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from taskkit.backend import Backend
from taskkit.clock import SECOND
from taskkit.records import Limits, Outcome, Settlement, WorkerInfo
from taskkit.task import NOW, After, Failure
from taskkit_conformance.case import Case

LONG: Final = 6.0
"""Seconds for which those wait who are to be woken; any poll comes sooner."""

LEASE: Final = 3600 * SECOND

Way: TypeAlias = Callable[[Case, Backend], tuple[str, Callable[[], object]]]


def _put(case: Case, other: Backend) -> tuple[str, Callable[[], object]]:
    task = case.task(case.draw(st.sampled_from(["g", "g.a", "g.a.b"])))
    return task.id, lambda: other.put([task])


def running(case: Case, **fields: Any) -> tuple[str, Callable[[Outcome], object]]:
    """Put a task that runs already; return its id and what ends its claim."""
    task = case.task(**fields)
    case.backend.put([task])
    case.backend.register(WorkerInfo("w1", {"g": 8}), LEASE)
    [claim] = case.backend.claim("w1", {"g": 1}).claims
    failure = Failure("E", "m")

    def end(outcome: Outcome) -> None:
        told = None if outcome is Outcome.SUCCEED else failure
        case.backend.settle("w1", [Settlement(task.id, claim.token, outcome, b"", told, NOW)])

    return task.id, end


def _again(case: Case, _other: Backend) -> tuple[str, Callable[[], object]]:
    task_id, end = running(case)
    outcome = case.draw(st.sampled_from([Outcome.RETRY, Outcome.RELEASE, Outcome.LOSE]))
    return task_id, lambda: end(outcome)


def _free_lock(case: Case, other: Backend) -> tuple[str, Callable[[], object]]:
    first, end = running(case, lock_key="k")
    task = case.task(lock_key="k")
    other.put([task])
    outcome = case.draw(st.sampled_from([Outcome.SUCCEED, Outcome.FAIL, Outcome.DISCARD, None]))
    if outcome is None:
        return task.id, lambda: other.delete([first])
    return task.id, lambda: end(outcome)


def _requeue(case: Case, other: Backend) -> tuple[str, Callable[[], object]]:
    task_id, end = running(case)
    end(Outcome.FAIL)
    return task_id, lambda: other.requeue([task_id], NOW)


def _reschedule(case: Case, other: Backend) -> tuple[str, Callable[[], object]]:
    task = case.task(due=After(3600 * SECOND))
    other.put([task])
    return task.id, lambda: other.reschedule([task.id], NOW)


def _retire(case: Case, other: Backend) -> tuple[str, Callable[[], object]]:
    task_id, _ = running(case)
    lost = case.draw(st.booleans())
    return task_id, lambda: other.retire("w1", lost)


def _limit(case: Case, other: Backend) -> tuple[str, Callable[[], object]]:
    other.configure("g", Limits(max_running=0))
    task = case.task()
    other.put([task])
    return task.id, lambda: other.configure("g", Limits())


def _resume(case: Case, other: Backend) -> tuple[str, Callable[[], object]]:
    other.pause(["g"])
    task = case.task()
    other.put([task])
    return task.id, lambda: other.resume(["g"])


WAYS: Final[Mapping[str, Way]] = {
    "a put": _put,
    "the end of its claim": _again,
    "the end of its lock's holder": _free_lock,
    "a requeue": _requeue,
    "a reschedule": _reschedule,
    "the end of its worker": _retire,
    "another limit": _limit,
    "a resume": _resume,
}
