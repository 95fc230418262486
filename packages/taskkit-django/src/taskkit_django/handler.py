"""What every task of the project means.

A ``@task`` function is named as it is; tasks of other surfaces (``django.tasks``, the Celery-style
API) carry a prefix in their names that tells whose they are.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from taskkit.task import NewTask, Task
from taskkit_django.registry import tasks

if TYPE_CHECKING:
    from taskkit import Kit
    from taskkit.handler import TaskHandler

FAMILIES: Final[dict[str, str]] = {
    "celery:": "taskkit_django.celery.handler:HANDLER",
    "django.tasks:": "taskkit_django.tasks.handler:HANDLER",
}
"""``module:attr`` of the handler of all tasks whose name begins so; imported when first met."""


class ProjectHandler:
    """Hands each task to whoever its name belongs to."""

    def __reduce__(self) -> str:
        return "HANDLER"

    def bind(self, kit: Kit) -> None:
        """Have ``delay`` put tasks in this kit. ``Kit`` calls it when it is made."""
        tasks.bind(kit)

    def preload(self) -> None:
        """Build what tasks need, once for the workers that are forked from here."""
        tasks.preload()

    def handle(self, task: Task) -> Any:
        """Do the work; see ``TaskHandler``."""
        return owner(task.name).handle(task)

    def get_retry_interval(self, task: Task, exception: Exception) -> float | None:
        """Return in how many seconds to retry, or None to let the task fail."""
        return owner(task.name).get_retry_interval(task, exception)

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:
        """Encode the data of a task."""
        return owner(task_name).encode_data(group, task_name, data)

    def encode_result(self, task: Task, result: Any) -> bytes:
        """Encode what ``handle`` returned."""
        return owner(task.name).encode_result(task, result)

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        """Decode a result."""
        if not task.name:
            return json.loads(encoded)
        return owner(task.name).decode_result(task, encoded)

    def is_async(self, task: Task) -> bool:
        """Return whether ``handle`` will return a coroutine for this task."""
        asked = getattr(owner(task.name), "is_async", None)
        return asked is not None and bool(asked(task))

    def is_isolated(self, task: Task) -> bool:
        """Return whether the task must run in a killable child process."""
        asked = getattr(owner(task.name), "is_isolated", None)
        return asked is not None and bool(asked(task))

    def complete(self, task: NewTask) -> NewTask:
        """Return the task with what its function declares, where the task says nothing else."""
        completing = getattr(owner(task.name), "complete", None)
        return task if completing is None else cast("NewTask", completing(task))


def owner(name: str) -> TaskHandler:
    """Return the handler that a task's name belongs to."""
    for prefix in FAMILIES:
        if name.startswith(prefix):
            return _family(prefix)
    return tasks


def known_names() -> list[str]:
    """Return the names of all tasks that are known in this process by now."""
    names = set(tasks.functions)
    for prefix in FAMILIES:
        names.update(function.name for function in _family(prefix).functions())  # type: ignore[attr-defined]  # a registry
    return sorted(names)


def positional_names(name: str) -> list[str]:
    """Return what a task's function calls its positional arguments; nothing if it is not found."""
    asked = getattr(owner(name), "positional", None)
    if asked is None:
        return []
    try:
        return cast("list[str]", asked(name))
    except Exception:  # noqa: BLE001 - whatever the module raises that its name has imported
        return []


@cache
def _family(prefix: str) -> TaskHandler:
    module, _, attribute = FAMILIES[prefix].partition(":")
    return cast("TaskHandler", getattr(import_module(module), attribute))


HANDLER: Final = ProjectHandler()
