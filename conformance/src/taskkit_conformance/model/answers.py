"""What the model expects a backend to answer, and where it leaves a choice.

An operation of the model returns ``Step``s: each is one thing that may happen, an answer and the
world after it. An answer that is not plain data says itself what it allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from taskkit.records import Attempt, Claims, Heartbeat, Page, Record
from taskkit.task import CANCELLED_BY_REQUEST, EXPIRED, SUPERSEDED, WORKER_DIED, Failure
from taskkit_conformance.model.world import Job, World, covered

_OURS = frozenset({CANCELLED_BY_REQUEST, EXPIRED, SUPERSEDED, WORKER_DIED})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that may happen."""

    answer: Any
    after: World

    def allows(self, found: object) -> bool:
        """Return whether this is what was answered."""
        allows = getattr(self.answer, "allows", None)
        if allows is not None:
            return bool(allows(found))
        return bool(found == self.answer and type(found) is type(self.answer))


@dataclass(frozen=True, slots=True)
class Each:
    """A list of answers, of which each may be one of several."""

    choices: tuple[frozenset[Any], ...]

    def allows(self, found: object) -> bool:
        return (
            isinstance(found, list)
            and len(found) == len(self.choices)
            and all(each in choice for each, choice in zip(found, self.choices, strict=True))
        )


@dataclass(frozen=True, slots=True)
class Full:
    """``QueueFull``, for one of these groups."""

    groups: frozenset[str]

    def allows(self, found: object) -> bool:
        return getattr(found, "group", None) in self.groups and hasattr(found, "max_queue_size")


@dataclass(frozen=True, slots=True)
class Given:
    """An answer to ``claim``: what is given of each group, in order. Between groups any order."""

    now: int
    alive: bool = True
    tasks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    next_due: frozenset[int | None] = frozenset({None})

    def allows(self, found: object) -> bool:
        return (
            isinstance(found, Claims)
            and found.alive == self.alive
            and found.now == self.now
            and in_groups(found) == {group: ids for group, ids in self.tasks.items() if ids}
            and found.next_due in self.next_due
        )


@dataclass(frozen=True, slots=True)
class Beat:
    """An answer to ``heartbeat``."""

    alive: bool
    cancelled: frozenset[str] = frozenset()
    void: frozenset[str] = frozenset()
    perhaps_void: frozenset[str] = frozenset()
    paused: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()

    def allows(self, found: object) -> bool:
        return (
            isinstance(found, Heartbeat)
            and found.alive == self.alive
            and found.cancelled == self.cancelled
            and self.void <= found.void <= self.void | self.perhaps_void
            and same_groups(found.paused, self.paused)
            and same_groups(found.stopped, self.stopped)
        )


@dataclass(frozen=True, slots=True)
class Ids:
    """A page: these tasks, and whether it is the last one."""

    ids: tuple[str, ...]
    last: bool | None
    """None: cannot be told."""

    def allows(self, found: object) -> bool:
        return (
            isinstance(found, Page)
            and tuple(record.task.id for record in found.records) == self.ids
            and self.last in (None, found.next is None)
        )


@dataclass(frozen=True, slots=True)
class Records:
    """An answer to ``get``."""

    now: int
    jobs: Mapping[str, Job | None]

    def allows(self, found: object) -> bool:
        return (
            isinstance(found, dict)
            and found.keys() == self.jobs.keys()
            and not any(differences(job, found[name], self.now) for name, job in self.jobs.items())
        )


def in_groups(claims: Claims) -> dict[str, tuple[str, ...]]:
    """Return the claimed ids by group, in the order in which they were given."""
    found: dict[str, tuple[str, ...]] = {}
    for claim in claims.claims:
        group = claim.task.group
        found[group] = (*found.get(group, ()), claim.task.id)
    return found


def same_groups(these: Iterable[str], those: Iterable[str]) -> bool:
    """Return whether two sets of groups stand for the same groups."""
    return all(covered(name, those) for name in these) and all(
        covered(name, these) for name in those
    )


# ---- records


def differences(job: Job | None, found: Record | None, now: int) -> list[str]:
    """Return the fields in which a record is not what it has to be; empty if it is right.

    ``token`` is not among them: the model counts claims instead.
    """
    if job is None or found is None:
        return [] if job is None and found is None else ["known"]
    wrong = [
        name
        for name, value in _expected(job, now).items()
        if name not in job.unsaid and not _same(getattr(found, name), value)
    ]
    wrong += [f"task.{name}" for name in _task_differences(job, found)]
    if not same_history(job.history, found.history):
        wrong.append("history")
    if not same_failure(job.failure, found.failure):
        wrong.append("failure")
    return wrong


def _expected(job: Job, now: int) -> dict[str, Any]:
    return {
        "state": job.state_at(now),
        "attempt": job.attempt,
        "losses": job.losses,
        "worker_id": job.worker_id,
        "began": job.began,
        "done": job.done,
        "result": job.result,
        "cancelling": job.cancelling,
        "progress": job.progress,
    }


def _task_differences(job: Job, found: Record) -> list[str]:
    return [
        each.name
        for each in fields(job.task)
        if each.name not in job.unsaid
        and not _same(getattr(found.task, each.name), getattr(job.task, each.name))
    ]


def _same(found: object, expected: object) -> bool:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return dict(found) == dict(expected) and all(
            type(found[key]) is type(value) for key, value in expected.items()
        )
    return found == expected and type(found) is type(expected)


def same_history(expected: Iterable[Attempt], found: Iterable[Attempt]) -> bool:
    """Return whether two histories are the same; who ran in place is nobody's business."""
    expected, found = list(expected), list(found)
    return len(expected) == len(found) and all(
        (one.attempt, one.began, one.ended, one.outcome)
        == (two.attempt, two.began, two.ended, two.outcome)
        and one.worker_id in ("", two.worker_id)
        and same_failure(one.failure, two.failure)
        for one, two in zip(expected, found, strict=True)
    )


def same_failure(expected: Failure | None, found: Failure | None) -> bool:
    """Return whether two failures are the same.

    In what a store says itself the wording is free, but the id of the task that superseded another
    has to be in it.
    """
    if expected is None or found is None:
        return expected is found
    if expected.type in _OURS:
        return found.type == expected.type and expected.message in found.message
    return found == expected
