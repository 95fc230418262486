"""The task that is being handled here: what user code may ask about its own attempt."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias

from taskkit.errors import AttemptCancelled, AttemptTimedOut, OutsideTask

if TYPE_CHECKING:
    from taskkit.records import Claim
    from taskkit.task import Task

Interruption: TypeAlias = type[AttemptTimedOut] | type[AttemptCancelled]
"""What is raised inside a task to end its attempt."""

Relay: TypeAlias = Callable[[Interruption, bool], object]
"""Carries an interruption to where the task runs, if that is not (only) the slot's own thread.

The second argument is true when there is no time left to be polite.
"""

active: ContextVar[TaskContext] = ContextVar("taskkit_task")
"""Set by ``Execution`` alone."""


class TaskContext:
    """One attempt of one task, seen from inside.

    ``claim`` and ``worker_id`` are for everybody. The other attributes belong to the worker, which
    uses them to end the attempt from outside; ``worker/interrupt.py`` tells how they play together.
    """

    __slots__ = (
        "_report",
        "abandoned",
        "began",
        "claim",
        "deadline",
        "interrupted",
        "killable",
        "open",
        "overdue",
        "relay",
        "thread",
        "worker_id",
    )

    def __init__(
        self,
        claim: Claim,
        worker_id: str = "",
        report: Callable[[tuple[str, int], bytes], object] | None = None,
        thread: int | None = None,
    ) -> None:
        self.claim = claim
        self.worker_id = worker_id
        self._report = report
        self.thread = thread
        self.relay: Relay | None = None
        self.interrupted: Interruption | None = None
        self.abandoned = False
        self.open = False
        # On the monotonic clock; 0 until the attempt has begun.
        self.began = 0.0
        # When the worker looks at this attempt again, on the monotonic clock; overdue when it has
        # done so once.
        self.deadline: float | None = None
        self.overdue = False
        self.killable = False

    @property
    def task(self) -> Task:
        """The task, as the handler receives it."""
        return self.claim.task

    @property
    def key(self) -> tuple[str, int]:
        """The claim that this attempt is of, as its worker holds it; for the worker alone."""
        return self.claim.task.id, self.claim.token

    @property
    def id(self) -> str:
        """The task's id."""
        return self.claim.task.id

    @property
    def group(self) -> str:
        """The task's group; a subgroup by its full name."""
        return self.claim.task.group

    @property
    def name(self) -> str:
        """The task's name."""
        return self.claim.task.name

    @property
    def attempt(self) -> int:
        """How often the task was claimed, this time included; the first is 1."""
        return self.claim.attempt

    @property
    def retry_count(self) -> int:
        """How often the task was retried on purpose; 0 in the first attempt."""
        return self.claim.task.retry_count

    @property
    def cancelled(self) -> bool:
        """Whether this attempt has been asked to end; what it still does may count for nothing.

        A task that blocks in C code, where nothing can be raised inside it, may look here.
        """
        return self.interrupted is AttemptCancelled

    def progress(self, value: Any) -> None:
        """Publish how far the task has come; stored with the worker's next heartbeat.

        Args:
            value: Bytes, stored as they are, or anything that msgspec encodes as JSON. The last
                value before a heartbeat is the one that is kept.

        Raises:
            InvalidTask: it is larger than the kit's ``max_data_bytes``.
        """
        if self._report is None:
            return
        if not isinstance(value, bytes):
            from msgspec import json

            value = json.encode(value)
        self._report(self.key, value)


def current_task() -> TaskContext:
    """Return the context of the task that is being handled here.

    It follows ``contextvars``: coroutines of the task see it, threads that the task starts do not.

    Raises:
        OutsideTask: no task is being handled here.
    """
    try:
        return active.get()
    except LookupError:
        raise OutsideTask(
            "current_task(): expected to be called inside a task, found none; a thread that a task "
            "starts must be given the context (contextvars.copy_context().run)"
        ) from None


def in_task() -> bool:
    """Return whether a task is being handled here."""
    return active.get(None) is not None
