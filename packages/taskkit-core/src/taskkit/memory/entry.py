"""What the memory backend keeps of one task and of one worker: the only things that change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from taskkit.records import Attempt, Outcome, Record, WorkerInfo, WorkerRecord
from taskkit.task import Failure, State, Task

Place: TypeAlias = Literal["waiting", "ready", "parked"]
"""Due later; to be claimed; behind a lock."""


@dataclass(slots=True, eq=False)
class Worker:
    """A registered worker."""

    info: WorkerInfo
    registered: int
    expires: int
    beat: int
    """The newest token at its last heartbeat: claims up to it were made before."""
    running: dict[str, Entry] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)

    def record(self) -> WorkerRecord:
        """Return it as others see it."""
        return WorkerRecord(self.info, self.registered, self.expires, len(self.running))


@dataclass(slots=True, eq=False)
class Entry:
    """A task and what became of it; the fields are those of ``Record``."""

    task: Task
    state: State = State.QUEUED
    """``QUEUED`` also while it waits: which of the two it is depends on when one looks."""
    attempt: int = 0
    losses: int = 0
    token: int = 0
    worker: Worker | None = None
    began: int | None = None
    done: int | None = None
    result: bytes | None = None
    failure: Failure | None = None
    cancelling: bool = False
    progress: bytes | None = None
    history: list[Attempt] | None = None
    place: Place | None = None
    """Where it lies while it is unclaimed."""
    ran_on: str = ""
    """Id of the worker that has or had the last claim."""
    settled: int = 0
    """Token of the last settlement that took effect, …"""
    outcome: Outcome | None = None
    """… and its outcome, to know its repetition."""

    def state_at(self, now: int) -> State:
        """Return the state, ``WAITING`` and ``QUEUED`` told apart."""
        if self.state is State.QUEUED and self.task.due > now:
            return State.WAITING
        return self.state

    def note(self, ended: int, outcome: Outcome | Literal["lost"], failure: Failure | None) -> None:
        """Add the attempt that ends now to the history.

        Successes need not be added: ``record`` knows that the last attempt was one, and a store
        full of them stays small.
        """
        most = self.task.max_history
        if most == 0:
            return
        assert self.began is not None
        attempt = Attempt(self.attempt, self.began, ended, self.ran_on, outcome, failure)
        if self.history is None:
            self.history = [attempt]
        else:
            self.history.append(attempt)
            if len(self.history) > most:
                del self.history[0]

    def past(self) -> tuple[Attempt, ...]:
        """Return the attempts that have ended, oldest first."""
        history = tuple(self.history or ())
        most = self.task.max_history
        if self.state is not State.SUCCEEDED or most == 0:
            return history
        assert self.began is not None
        assert self.done is not None
        last = Attempt(self.attempt, self.began, self.done, self.ran_on, Outcome.SUCCEED)
        return (*history, last)[-most:]

    def record(self, now: int) -> Record:
        """Return all that is known, as it is now."""
        return Record(
            task=self.task,
            state=self.state_at(now),
            attempt=self.attempt,
            losses=self.losses,
            token=self.token,
            worker_id=None if self.worker is None else self.worker.info.id,
            began=self.began,
            done=self.done,
            result=self.result,
            failure=self.failure,
            cancelling=self.cancelling,
            progress=self.progress,
            history=self.past(),
        )
