"""Django's signals about its tasks. A receiver that raises harms nobody; Django logs it.

Django's own backends let what a receiver of ``task_enqueued`` raises come out of ``enqueue()``. By
then the task is stored: a caller that tried again would have it done twice.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.utils.timezone import now

from taskkit.errors import InvalidData, TaskFailed, UnknownTask
from taskkit.plugins import hookimpl
from taskkit_django.tasks.results import error_of, running_result

if TYPE_CHECKING:
    from taskkit.context import TaskContext
    from taskkit.records import Claim
    from taskkit.task import Failure
    from taskkit_django.tasks.surface import DjangoTask, Surface


def enqueued(surface: Surface, result: Any) -> None:
    """Tell that a task was put."""
    surface.enqueued.send_robust(_sender(result), task_result=result)


def started(
    surface: Surface,
    task: DjangoTask,
    context: TaskContext,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """Tell that an attempt begins here, and return its result, which is running."""
    result = running_result(surface, task, context, args, kwargs)
    surface.started.send_robust(_sender(result), task_result=result)
    return result


async def astarted(
    surface: Surface,
    task: DjangoTask,
    context: TaskContext,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> Any:
    """Do what ``started`` does, on an event loop."""
    result = running_result(surface, task, context, args, kwargs)
    await surface.started.asend_robust(_sender(result), task_result=result)
    return result


def succeeded(surface: Surface, result: Any, value: Any) -> None:
    """Tell that an attempt succeeded, before that is stored."""
    _end(result, surface.status.SUCCESSFUL, value)
    surface.finished.send_robust(_sender(result), task_result=result)


async def asucceeded(surface: Surface, result: Any, value: Any) -> None:
    """Do what ``succeeded`` does, on an event loop."""
    _end(result, surface.status.SUCCESSFUL, value)
    await surface.finished.asend_robust(_sender(result), task_result=result)


class Failures:
    """The plugin of a kit that tells of Django's tasks that failed for good."""

    @hookimpl
    def taskkit_failure(self, claim: Claim, failure: Failure) -> None:
        """Send ``task_finished``, within the handling of the exception, as receivers expect."""
        from taskkit_django.tasks.handler import HANDLER, PREFIX, surface_of
        from taskkit_django.tasks.reading import find_task

        if not claim.task.name.startswith(PREFIX):
            return
        try:
            task = find_task(claim.task)
            args, kwargs = HANDLER.read_data(claim.task.data)
        except (UnknownTask, InvalidData):
            return  # there is nothing to build a result of; the store has the failure
        surface = surface_of(task)
        assert surface is not None
        from taskkit.context import TaskContext

        result = running_result(surface, task, TaskContext(claim), args, kwargs)
        result.errors.append(error_of(surface, failure))
        _end(result, surface.status.FAILED)
        _while_handled(
            TaskFailed(claim.task.id, failure),
            lambda: surface.finished.send_robust(_sender(result), task_result=result),
        )


def _while_handled(error: TaskFailed, tell: Callable[[], object]) -> None:
    """Tell while an exception is handled, which Django's own receiver logs: the task's, if here."""
    if sys.exception() is not None:
        tell()
        return
    # It failed in a process of its own, or returned what cannot be stored.
    error.add_note(error.traceback)
    try:
        raise error
    except TaskFailed:
        tell()


def _end(result: Any, status: Any, value: Any = None) -> None:
    object.__setattr__(result, "status", status)
    object.__setattr__(result, "finished_at", now())
    object.__setattr__(result, "_return_value", value)


def _sender(result: Any) -> type[Any]:
    return type(result.task.get_backend())
