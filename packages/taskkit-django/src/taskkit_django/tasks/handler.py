"""The handler of Django's tasks: what a worker does with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Final

from django.utils.module_loading import import_string

from taskkit.context import current_task
from taskkit.errors import InvalidTask
from taskkit.registry import TaskOptions
from taskkit_django.calls import Callee, Calls, Keys
from taskkit_django.kit import kit
from taskkit_django.tasks import telling
from taskkit_django.tasks.surface import DjangoTask, Surface, options_of

PREFIX: Final = "django.tasks:"
"""Tells these tasks from others; ``handler.FAMILIES`` knows it."""


def surface_of(task: object) -> Surface | None:
    """Return the package that a task is of; None: it is no task."""
    for cls in type(task).__mro__:
        package = cls.__module__.partition(".")[0] if cls.__name__ == "Task" else ""
        if package == "django":
            from taskkit_django.tasks.native import SURFACE

            return SURFACE
        if package == "django_tasks":
            from taskkit_django.tasks.backport import SURFACE as BACKPORT

            return BACKPORT
    return None


def callee(task: DjangoTask) -> Callee:
    """Return a task of Django as the core is to know it.

    Raises:
        LookupError: it is none.
    """
    surface = surface_of(task)
    if surface is None:
        raise LookupError(f"expected a task, made with @task, found {task!r:.200}")
    run = _run_async if iscoroutinefunction(task.func) else _run
    call: Callable[..., Any] = partial(run, surface, task)
    return Callee(task.func, call, _options(task), given=int(task.takes_context))


def _options(task: DjangoTask) -> TaskOptions:
    name = PREFIX + task.module_path
    said = options_of(task)
    if said is None:
        return TaskOptions(name=name, group=task.queue_name, priority=task.priority)
    keys = Keys(name, task.func, given=int(task.takes_context))
    kept = {field: getattr(said, field) for field in TaskOptions.__slots__}
    kept |= {what: keys.by(what, kept[what]) for what in ("unique", "lock")}
    return TaskOptions(**{**kept, "name": name})


def _run(surface: Surface, task: DjangoTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    result = telling.started(surface, task, current_task(), args, kwargs)
    given = (surface.context_class(task_result=result),) if task.takes_context else ()
    returned = surface.normalize_json(task.func(*given, *args, **kwargs))
    if _is_storable(returned):
        telling.succeeded(surface, result, returned)
    return returned


async def _run_async(
    surface: Surface, task: DjangoTask, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Any:
    result = await telling.astarted(surface, task, current_task(), args, kwargs)
    given = (surface.context_class(task_result=result),) if task.takes_context else ()
    returned = surface.normalize_json(await task.func(*given, *args, **kwargs))
    if _is_storable(returned):
        await telling.asucceeded(surface, result, returned)
    return returned


def _is_storable(returned: Any) -> bool:
    """Return whether this can be stored; if not the worker has the task fail, and tells of that."""
    if returned is None:
        return True
    try:
        encoded = HANDLER.encode_result(current_task().task, returned)
    except InvalidTask:
        return False
    return len(encoded) <= kit().max_data_bytes


def _find(path: str) -> Callee:
    return callee(import_string(path))


HANDLER: Final = Calls(PREFIX, _find, dumps=lambda value: value, loads=lambda value: value)
