"""The backend for ``django.tasks``, which Django has from 6.0 on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.checks import CheckMessage
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import Task, TaskContext, TaskError, TaskResult, TaskResultStatus
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
from django.tasks.signals import task_enqueued, task_finished, task_started
from django.utils.json import normalize_json

from taskkit.registry import TaskOptions
from taskkit_django.tasks import backend, reading
from taskkit_django.tasks.surface import Surface


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskkitTask(Task):  # type: ignore[type-arg]  # generic in the stubs alone
    """Django's ``Task``, with what ``taskkit_django.tasks.task`` said beside it."""

    options: TaskOptions | None = field(default=None, hash=False)

    enqueue_many = backend.enqueue_many
    aenqueue_many = backend.aenqueue_many


class TaskkitBackend(BaseTaskBackend):
    """Keeps Django's tasks in taskkit."""

    task_class = TaskkitTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Put a task; it joins the open transaction."""
        return backend.enqueue(SURFACE, self, task, [(args, kwargs)])[0]

    def enqueue_many(self, task: Any, calls: Sequence[Any]) -> list[Any]:
        """Put a task for each call, all or none, in one round trip."""
        return backend.enqueue(SURFACE, self, task, backend.calls_of(calls))

    def get_result(self, result_id: str) -> Any:
        """Return a result by its id."""
        return reading.get_result(SURFACE, result_id)

    def check(self, **options: Any) -> list[CheckMessage]:
        """Return what is wrong with this entry of ``TASKS``."""
        return [*super().check(**options), *backend.check(self)]


SURFACE: Final = Surface(
    task_class=TaskkitTask,
    result_class=TaskResult,
    error_class=TaskError,
    context_class=TaskContext,
    status=TaskResultStatus,
    enqueued=task_enqueued,
    started=task_started,
    finished=task_finished,
    invalid_task=InvalidTask,
    no_result=TaskResultDoesNotExist,
    normalize_json=normalize_json,
)
