"""What became of a task of the Celery-style API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar
from uuid import UUID

from taskkit.errors import TaskFailed, TaskNotFound
from taskkit.records import Record
from taskkit.task import UNCLAIMED, State
from taskkit_django.celery.given import to_uuid
from taskkit_django.kit import kit

if TYPE_CHECKING:
    from taskkit import Result

T = TypeVar("T")

_STATES: Final = {
    State.WAITING: "PENDING",
    State.QUEUED: "PENDING",
    State.RUNNING: "STARTED",
    State.SUCCEEDED: "SUCCESS",
    State.FAILED: "FAILURE",
    State.LOST: "FAILURE",
    State.CANCELLED: "REVOKED",
}


class AsyncResult(Generic[T]):
    """A task by its id, now or in another process.

    Args:
        id: The ``id`` of another result, as a UUID or as text, or a task's whole id.

    Raises:
        InvalidInput: it is none of these.
    """

    def __init__(self, id: UUID | str) -> None:  # noqa: A002 - Celery's name, used by keyword
        text = str(id)
        whole = text[-33:-32] == "_"  # a group stands before it
        self.id = to_uuid("id", text[-32:] if whole else id)
        """The task's id without its group."""
        self._task_id = text if whole else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsyncResult) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    def __str__(self) -> str:
        return str(self.id)

    @property
    def task_id(self) -> str:
        """The task's whole id.

        Raises:
            TaskNotFound: no queue holds a task of this id.
        """
        if self._task_id is None:
            self._task_id = _whole_id(self.id)
        return self._task_id

    def revoke(self, *, terminate: bool = False, **_ignored: Any) -> None:
        """Cancel the task unless it has started; one that is gone or finished stays as it is.

        Args:
            terminate: Ask one that runs to end, too.
        """
        record = self._record()
        if record is not None and (record.state in UNCLAIMED or terminate):
            kit().cancel(record.task.id)

    @property
    def state(self) -> str:
        """Celery's word for its state: ``PENDING`` also for a task that nobody knows."""
        record = self._record()
        if record is None:
            return "PENDING"
        if record.state in UNCLAIMED and record.task.retry_count:
            return "RETRY"
        return _STATES[record.state]

    @property
    def status(self) -> str:
        """The same as ``state``."""
        return self.state

    @property
    def result(self) -> T | BaseException | None:
        """What the task returned, or how it failed, or None while it has not finished."""
        record = self._record()
        if record is None or not record.state.finished:
            return None
        try:
            return self._result(record).get(timeout=0, allow_in_task=True)
        except TaskFailed as failed:
            return failed

    @property
    def traceback(self) -> str | None:
        """The traceback of its failure."""
        record = self._record()
        return None if record is None or record.failure is None else record.failure.traceback

    def ready(self) -> bool:
        """Return whether it has finished."""
        record = self._record()
        return record is not None and record.state.finished

    def successful(self) -> bool:
        """Return whether it has finished without an error."""
        return self.state == "SUCCESS"

    def failed(self) -> bool:
        """Return whether it has failed."""
        return self.state == "FAILURE"

    def get(self, timeout: float | None = None, *, propagate: bool = True) -> T | BaseException:
        """Wait for the result.

        Raises:
            ResultGetTimedOut: it has not finished in time.
            TaskFailed: it failed; with ``propagate=False`` that is returned instead.
            TaskNotFound: nobody knows it.
        """
        try:
            found: T = kit().get_result(self.task_id).get(timeout)
        except TaskFailed as failed:
            if propagate:
                raise
            return failed
        return found

    def forget(self) -> None:
        """Remove the task, whatever its state."""
        record = self._record()
        if record is not None:
            kit().delete(record.task.id)

    def _record(self) -> Record | None:
        try:
            return kit().backend.get([self.task_id])[self.task_id]
        except TaskNotFound:
            return None

    def _result(self, record: Record) -> Result[T]:
        return kit().get_result(record.task.id)


class EagerResult(AsyncResult[T]):
    """The result of a task that was run in place: nothing of it is in the store."""

    def __init__(
        self,
        id: UUID | str,  # noqa: A002 - as above
        result: T | BaseException | None = None,
        state: str = "SUCCESS",
        traceback: str | None = None,
    ) -> None:
        super().__init__(id)
        self._value = result
        self._state = state
        self._traceback = traceback

    def revoke(self, *, terminate: bool = False, **_ignored: Any) -> None:
        """Do nothing: it is over."""

    def forget(self) -> None:
        """Do nothing: nothing of it is in the store."""

    @property
    def state(self) -> str:
        """``SUCCESS`` or ``FAILURE``."""
        return self._state

    @property
    def result(self) -> T | BaseException | None:
        """What the task returned, or the exception that it raised."""
        return self._value

    @property
    def traceback(self) -> str | None:
        """The traceback of the exception."""
        return self._traceback

    def ready(self) -> bool:
        """Return True."""
        return True

    def get(self, timeout: float | None = None, *, propagate: bool = True) -> T | BaseException:  # noqa: ARG002 - nothing to wait for
        """Return what the task returned, or raise what it raised."""
        if propagate and isinstance(self._value, BaseException) and self._state == "FAILURE":
            raise self._value
        return self._value  # type: ignore[return-value]  # None is what the task returned


def _whole_id(wanted: UUID) -> str:
    """Return the id of the task whose last part this is, looking in every queue.

    An id of Celery does not tell the queue: those that tasks are declared for are asked first, then
    those that hold anything, in one call each.

    Raises:
        TaskNotFound: none has it.
    """
    from taskkit_django.celery.handler import HANDLER

    backend = kit().backend
    declared = {"default", *(function.group for function in HANDLER.functions())}
    for groups in (declared, {count.group for count in backend.count()} - declared):
        ids = [f"{group}_{wanted.hex}" for group in groups]
        for task_id, record in backend.get(ids).items() if ids else ():
            if record is not None:
                return task_id
    raise TaskNotFound(str(wanted))
