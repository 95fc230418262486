"""Between the records of a store and the results of ``django.tasks``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.utils.timezone import get_default_timezone, now

from taskkit.clock import to_datetime
from taskkit.errors import TaskCancelled, TaskLost
from taskkit.records import Attempt, Record
from taskkit.task import CANCELLED_BY_REQUEST, EXPIRED, SUPERSEDED, WORKER_DIED, Failure, State
from taskkit_django.tracebacks import without_ours

if TYPE_CHECKING:
    from taskkit.context import TaskContext
    from taskkit.task import Task
    from taskkit_django.tasks.surface import DjangoTask, Surface

BACKEND: Final = "django.tasks"
"""The label with the alias of the backend that a task was put with, unless that is ``default``."""

# What taskkit itself says of a task that nobody's exception ended.
_OWN: Final[Mapping[str, type[Exception]]] = {
    CANCELLED_BY_REQUEST: TaskCancelled,
    EXPIRED: TaskCancelled,
    SUPERSEDED: TaskCancelled,
    WORKER_DIED: TaskLost,
}

_STATUS: Final = {
    State.WAITING: "READY",
    State.QUEUED: "READY",
    State.RUNNING: "RUNNING",
    State.SUCCEEDED: "SUCCESSFUL",
    State.FAILED: "FAILED",
    State.LOST: "FAILED",
    State.CANCELLED: "FAILED",
}


def new_result(
    surface: Surface, task: DjangoTask, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    """Return the result of a task that is put in this moment."""
    return surface.result_class(
        task=task,
        id=task_id,
        status=surface.status.READY,
        enqueued_at=now(),
        started_at=None,
        finished_at=None,
        last_attempted_at=None,
        args=list(args),
        kwargs=dict(kwargs),
        backend=task.backend,
        errors=[],
        worker_ids=[],
    )


def running_result(
    surface: Surface,
    task: DjangoTask,
    context: TaskContext,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """Return the result of a task whose attempt runs here.

    Known without asking the store; of earlier attempts only how many there were.
    """
    began = _moment(context.claim.began)
    earlier = context.attempt - 1
    as_put = _as_put(task, context.task)
    return surface.result_class(
        task=as_put,
        id=context.id,
        status=surface.status.RUNNING,
        enqueued_at=_moment(context.task.created),
        started_at=began,
        finished_at=None,
        last_attempted_at=began,
        args=list(args),
        kwargs=dict(kwargs),
        backend=as_put.backend,
        errors=[],
        worker_ids=[""] * earlier + [context.worker_id],
    )


def stored_result(surface: Surface, task: DjangoTask, record: Record, call: Any, value: Any) -> Any:
    """Return the result of which the store has this record.

    Args:
        surface: The package of the result.
        task: The task, found by its import path.
        record: What the store knows.
        call: The stored arguments: positional ones and keyword ones.
        value: What the task returned.
    """
    history = list(record.history)
    as_put = _as_put(task, record.task)
    result = surface.result_class(
        task=as_put,
        id=record.task.id,
        status=surface.status[_STATUS[record.state]],
        enqueued_at=_moment(record.task.created),
        started_at=_moment(history[0].began if history else record.began),
        finished_at=_moment(record.done),
        last_attempted_at=_moment(record.began),
        args=call[0],
        kwargs=call[1],
        backend=as_put.backend,
        errors=_errors(surface, record, history),
        worker_ids=_workers(record, history),
    )
    if record.state is State.SUCCEEDED:
        object.__setattr__(result, "_return_value", value)
    return result


def error_of(surface: Surface, failure: Failure) -> Any:
    """Return a failure as a ``TaskError``."""
    own = _OWN.get(failure.type)
    path = failure.type if own is None else f"{own.__module__}.{own.__qualname__}"
    if "." not in path:
        path = f"builtins.{path}"
    told = without_ours(failure.traceback) or failure.message
    return surface.error_class(exception_class_path=path, traceback=told)


def _errors(surface: Surface, record: Record, history: Sequence[Attempt]) -> list[Any]:
    failures = [each.failure for each in history if each.failure is not None]
    last = record.failure
    # Cancelled before it was claimed: no attempt tells of it.
    if last is not None and last not in failures[-1:]:
        failures.append(last)
    return [error_of(surface, failure) for failure in failures]


def _workers(record: Record, history: Sequence[Attempt]) -> list[str]:
    workers = [each.worker_id for each in history]
    if record.worker_id is not None:
        workers.append(record.worker_id)
    # Only the newest attempts are remembered by name; the others count.
    return [""] * (record.attempt - len(workers)) + workers


def _as_put(task: DjangoTask, stored: Task) -> DjangoTask:
    deferred = stored.due > stored.created and stored.retry_count == 0
    alias = stored.labels.get(BACKEND, task.backend)
    changes = {
        "backend": alias if alias in getattr(settings, "TASKS", {}) else task.backend,
        "priority": stored.priority,
        "queue_name": stored.group,
        "run_after": _moment(stored.due) if deferred else None,
    }
    changed = {name: each for name, each in changes.items() if each != getattr(task, name)}
    if not changed:
        return task
    # Not by using(), which would refuse what the settings do not allow any more: it was put when
    # they did, and now has to be run, and found.
    as_put = copy(task)
    for name, each in changed.items():
        object.__setattr__(as_put, name, each)
    return as_put


def _moment(instant: int | None) -> Any:
    if instant is None:
        return None
    if settings.USE_TZ:
        return to_datetime(instant)
    return to_datetime(instant, get_default_timezone()).replace(tzinfo=None)
