"""What the model knows: plain, immutable data, and the questions that every operation asks of it.

Nothing here is fast. It is written to be believed by reading it beside the docstrings of
``taskkit.backend``, and shares no code with any backend.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from taskkit.records import Attempt, Limits, Outcome, WorkerInfo
from taskkit.task import EXPIRED, FINISHED, After, Failure, Instant, State, Task

SECOND: Final = 1_000_000
EVERYTHING: Final = "*"
"""Every group, in pauses, stops and exclusions."""

K = TypeVar("K")
V = TypeVar("V")
Hold: TypeAlias = tuple[str, int]
"""A claim: the task's id, and which claim of that id it is, counted from 1."""


@dataclass(frozen=True, slots=True)
class Job:
    """A task and what became of it."""

    task: Task
    state: State = State.QUEUED
    """``QUEUED`` as long as it is unclaimed: the clock tells whether it still waits."""
    attempt: int = 0
    losses: int = 0
    serial: int = 0
    """Which claim of its id the last one was; it stands for the token."""
    worker_id: str | None = None
    began: int | None = None
    done: int | None = None
    result: bytes | None = None
    failure: Failure | None = None
    cancelling: bool = False
    progress: bytes | None = None
    history: tuple[Attempt, ...] = ()
    settled: Mapping[int, Outcome] = field(default_factory=dict)
    """The claims of it that were ended by a settlement, and how."""
    unsaid: frozenset[str] = frozenset()
    """Fields of its record that the contract leaves open at present."""

    @property
    def unclaimed(self) -> bool:
        return self.state is State.QUEUED

    @property
    def running(self) -> bool:
        return self.state is State.RUNNING

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    def state_at(self, now: int) -> State:
        return State.WAITING if self.unclaimed and self.task.due > now else self.state

    def noted(self, ended: int, outcome: Any, failure: Failure | None) -> Job:
        """Return it with the attempt that ends now in its history."""
        assert self.began is not None
        worker = self.worker_id or ""
        last = Attempt(self.attempt, self.began, ended, worker, outcome, failure)
        most = self.task.max_history
        return replace(self, history=(*self.history, last)[-most:] if most else ())


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker and what it was told."""

    info: WorkerInfo
    registered: int
    expires: int
    seen: frozenset[Hold] = frozenset()
    """Claims that were made before its last heartbeat."""
    beat: int = -1
    """When that was."""
    stopped: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class World:
    """One state of a store."""

    now: int
    latest: int = 0
    """The latest moment that its clock has shown."""
    jobs: Mapping[str, Job] = field(default_factory=dict)
    claimed: Mapping[str, int] = field(default_factory=dict)
    """How often each id was claimed, in all its lives."""
    workers: Mapping[str, Worker] = field(default_factory=dict)
    pauses: Mapping[str, int | None] = field(default_factory=dict)
    limits: Mapping[str, Limits] = field(default_factory=dict)
    starts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """When tasks of a group with a rate were claimed."""
    schedules: Mapping[str, tuple[int, bytes]] = field(default_factory=dict)
    turns: Mapping[str, Mapping[str, frozenset[str]]] = field(default_factory=dict)
    """By want: for each group that could be served, who was served since it began to wait."""
    discarded: frozenset[Hold] = frozenset()

    def at(self, now: int) -> World:
        """Return the world at another moment. What ran "in the future" ran by now."""
        starts = {group: tuple(min(at, now) for at in past) for group, past in self.starts.items()}
        latest = max(self.latest, self.now, now)
        return replace(self, now=now, latest=latest, starts=starts)

    def moved(self, now: int) -> list[World]:
        """Return what the world may be after its clock was moved.

        A pause that was over may be forgotten; then it does not come back when the clock steps back
        before its end.
        """
        after = self.at(now)
        over = [name for name in self.pauses if name not in self.paused()]
        if now >= self.now or not over:
            return [after]
        return [after, replace(after, pauses=dropped(self.pauses, *over))]

    def having(self, *jobs: Job) -> World:
        return replace(self, jobs={**self.jobs, **{job.task.id: job for job in jobs}})

    def without(self, task_id: str) -> World:
        return replace(self, jobs=dropped(self.jobs, task_id))

    def with_worker(self, worker: Worker) -> World:
        return replace(self, workers={**self.workers, worker.info.id: worker})

    # ---- questions

    def of_group(self, group: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.task.group == group]

    def running_of(self, worker_id: str) -> list[Job]:
        return [job for job in self.jobs.values() if job.worker_id == worker_id]

    def alive(self, worker_id: str) -> bool:
        worker = self.workers.get(worker_id)
        return worker is not None and worker.expires > self.now

    def holder(self, task: Task) -> Job | None:
        """Return the other task that holds this one's unique key."""
        if task.unique_key is None:
            return None
        for job in self.of_group(task.group):
            held = job.unclaimed or (job.running and job.task.unique_scope == "unfinished")
            if held and job.task.unique_key == task.unique_key and job.task.id != task.id:
                return job
        return None

    def expired(self) -> list[Job]:
        return [
            job
            for job in self.jobs.values()
            if job.unclaimed and job.task.expires is not None and job.task.expires <= self.now
        ]

    def swept(self) -> World:
        """Return the world in which everything that has expired is cancelled."""
        cause = Failure(EXPIRED, "")
        return self.having(*(ended(self, job, State.CANCELLED, cause) for job in self.expired()))

    def lives(self) -> list[World]:
        """Return the worlds that a call may find.

        A store may sweep what expired whenever it likes, as long as no worker is given it.
        """
        return [self.swept(), self] if self.expired() else [self]

    def instant(self, instant: Instant) -> int:
        return max(0, self.now + instant.delay) if isinstance(instant, After) else instant

    def paused(self) -> frozenset[str]:
        return frozenset(
            group for group, end in self.pauses.items() if end is None or end > self.now
        )


def ended(world: World, job: Job, state: State, failure: Failure | None = None) -> Job:
    """Return a job that is finished now."""
    return replace(
        job,
        state=state,
        done=world.now,
        failure=failure,
        cancelling=False,
        worker_id=None,
        unsaid=job.unsaid | {"progress"},
    )


def covers(group: str, other: str) -> bool:
    """Return whether a group stands for another: itself, one below it, or everything."""
    return group in (EVERYTHING, other) or other[: len(group) + 1] == group + "."


def covered(other: str, by: Iterable[str]) -> bool:
    """Return whether one of several groups stands for another."""
    return any(covers(group, other) for group in by)


def dropped(mapping: Mapping[K, V], *keys: K) -> Mapping[K, V]:
    """Return a mapping without these keys."""
    return {key: value for key, value in mapping.items() if key not in keys}


NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
