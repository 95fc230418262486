"""Every error of taskkit: one tree, three branches.

``InvalidInput``
    The caller's fault: what was given cannot be accepted. Nothing was written.
``Answer``
    Not a fault: the state of a task, said by raising.
``BackendError``
    The store's fault. A driver's exception never escapes; it is the ``__cause__`` of one of these.

``DiscardTask`` and ``RetryTask`` are raised *by* a task, to tell taskkit what becomes of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskkit.task import Failure


class TaskkitError(Exception):
    """Base of every error that taskkit raises."""


# ---- the caller's fault


class InvalidInput(TaskkitError, ValueError):
    """Something given to taskkit is outside what it accepts; nothing was changed."""


class InvalidTask(InvalidInput):
    """A task, or an argument of one, is outside the declared limits."""


class InvalidData(InvalidTask):
    """The stored data of a task cannot be decoded, or does not fit what handles it.

    A handler raises it before it has done anything; the task fails, because another attempt would
    find the same bytes.
    """


class InvalidSchedule(InvalidInput):
    """A schedule or an entry cannot be understood."""


class InvalidSetting(InvalidInput):
    """A setting of a kit, a worker or a backend is not usable."""


class UnknownBackend(InvalidSetting):
    """No installed plugin has this name or owns this URL scheme."""


class UnknownTask(InvalidInput):
    """The handler knows no task of this name."""

    def __init__(self, message: str = "", name: str = "") -> None:
        super().__init__(message)
        self.name = name
        """The name, so that it can be told whose it is when a task puts another by its name."""


class OutsideTask(InvalidInput, LookupError):
    """``current_task()`` was called where no task is being handled."""


# ---- workers


class WorkerStartFailed(TaskkitError):
    """Worker processes cannot start; the message tells the error that they end with."""


# ---- answers


class Answer(TaskkitError):
    """The state of something, said by raising: not a fault of anybody."""


class TaskNotFound(Answer, LookupError):
    """The store does not know this task: never put, discarded, deleted or purged."""

    def __init__(self, task_id: str) -> None:
        super().__init__(
            f"no task {task_id!r} in the store: it was never put, or it has been discarded, "
            "deleted, or purged after its ttl"
        )
        self.task_id = task_id

    def __reduce__(self) -> tuple[type[TaskNotFound], tuple[str]]:
        return type(self), (self.task_id,)


class TaskFailed(Answer):
    """The task ended without a result.

    ``failure`` holds the type, message and traceback text of the original error. Nothing is
    ever unpickled, so the original exception object does not come back.
    """

    def __init__(self, task_id: str, failure: Failure) -> None:
        super().__init__(f"task {task_id!r} failed: {failure.type}: {failure.message}")
        self.task_id = task_id
        self.failure = failure

    @property
    def type(self) -> str:
        """Qualified name of the original exception's class."""
        return self.failure.type

    @property
    def message(self) -> str:
        """The original exception's text."""
        return self.failure.message

    @property
    def traceback(self) -> str:
        """The original traceback, as text; empty where there was none."""
        return self.failure.traceback

    def __reduce__(self) -> tuple[Any, tuple[str, Failure]]:
        return type(self), (self.task_id, self.failure)


class TaskLost(TaskFailed):
    """The worker of this task died, and the task is kept for a person to decide."""


class TaskCancelled(TaskFailed):
    """The task was cancelled: by a person, or because it expired before it was claimed."""


class ResultGetTimedOut(Answer, TimeoutError):
    """The task did not finish within the time that the caller was ready to wait."""


class ResultGetPrevented(Answer):
    """A task tried to wait for another task's result, which can starve the worker's pool."""


class QueueFull(Answer):
    """The group holds as many unclaimed tasks as its ``max_queue_size`` allows; none was put."""

    def __init__(self, group: str, max_queue_size: int) -> None:
        super().__init__(
            f"group {group!r} is full: it may hold {max_queue_size} unclaimed tasks; nothing was "
            "put. Try again later, or raise the limit with kit.configure()"
        )
        self.group = group
        self.max_queue_size = max_queue_size

    def __reduce__(self) -> tuple[type[QueueFull], tuple[str, int]]:
        return type(self), (self.group, self.max_queue_size)


# ---- the store's fault


class BackendError(TaskkitError):
    """The store could not do what was asked; the driver's error is the cause."""


class Unavailable(BackendError):
    """The store cannot be reached or cannot be written now; trying again later may help."""


class Unsupported(BackendError):
    """This backend does not offer the feature (see its ``capabilities``)."""


class Corrupt(BackendError):
    """A record in the store cannot be understood."""


class SchemaMismatch(BackendError):
    """The store's layout is older or newer than this version of taskkit can use."""


class BrokenPlugin(BackendError):
    """An installed plugin cannot be imported, or does not implement what it must."""


# ---- raised inside a task


class AttemptTimedOut(TaskkitError):
    """Raised inside a task whose attempt has used up its ``timeout``; its retry rule applies.

    No ``TimeoutError``, which is an ``OSError``: raised within a call of the store, its driver
    would take it for one of its own socket, and the task would be told that the store is away.
    """


class AttemptCancelled(TaskkitError):
    """Raised inside a task that somebody asked to cancel."""


# ---- raised by a task


class DiscardTask(TaskkitError):
    """Raise it inside a task to drop the task without a trace."""


class RetryTask(TaskkitError):
    """Raise it inside a task to have the task run again.

    Args:
        message: Why; kept in the task's history.
        due: When: an aware or local naive datetime, a timedelta or seconds from now. Without it
            the task's own retry rule decides, and the task fails when that rule is exhausted.
    """

    def __init__(
        self,
        message: str = "the task asked for a retry",
        *,
        due: datetime | timedelta | float | None = None,
    ) -> None:
        super().__init__(message)
        self.due = due
