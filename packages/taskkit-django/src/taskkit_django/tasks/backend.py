"""What both backends for Django's tasks do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from asgiref.sync import sync_to_async
from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning  # noqa: A004 - Django's name

from taskkit.convert import to_when
from taskkit.errors import InvalidInput
from taskkit.limits import check_group
from taskkit.registry.prepared import split
from taskkit.task import NewTask
from taskkit_django.kit import kit
from taskkit_django.tasks import telling
from taskkit_django.tasks.handler import HANDLER, PREFIX
from taskkit_django.tasks.reading import get_result
from taskkit_django.tasks.results import BACKEND, new_result

if TYPE_CHECKING:
    from taskkit_django.tasks.surface import DjangoBackend, DjangoTask, Surface

DEFAULT_ALIAS: Final = "default"

_LONGEST_ID: Final = 64
"""Characters of a result's id, by Django's documentation."""
_LONGEST_QUEUE: Final = _LONGEST_ID - 33

Calls: TypeAlias = Sequence[tuple[Sequence[Any], Mapping[str, Any]]]


def enqueue(surface: Surface, backend: DjangoBackend, task: DjangoTask, calls: Calls) -> list[Any]:
    """Put a task for each call, all or none, in one round trip; return results in order.

    They join the open transaction. Of one whose unique key is taken, the result of the task that
    holds the key is returned.

    Raises:
        InvalidTask: Django's: the task, or an argument, cannot be put.
    """
    backend.validate_task(task)
    plain = [
        (surface.normalize_json(list(args)), surface.normalize_json(dict(kwargs)))
        for args, kwargs in calls
    ]
    try:
        new = [_new(task, args, kwargs) for args, kwargs in plain]
        put = kit().put_new(new)
    except InvalidInput as error:
        raise surface.invalid_task(str(error)) from error
    results = []
    for asked, stood, (args, kwargs) in zip(new, put, plain, strict=True):
        if stood.id != asked.id:
            results.append(get_result(surface, stood.id))
            continue
        result = new_result(surface, task, stood.id, args, kwargs)
        telling.enqueued(surface, result)
        results.append(result)
    return results


def _new(task: DjangoTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> NewTask:
    name = PREFIX + task.module_path
    new = HANDLER.new(HANDLER.known(name), args, kwargs)
    changes: dict[str, Any] = {"priority": task.priority}
    if task.queue_name != new.group:
        changes |= {"group": task.queue_name, "id": f"{task.queue_name}_{new.id[-32:]}"}
    if task.run_after is not None:
        changes["due"] = to_when("run_after", task.run_after)
    if task.backend != DEFAULT_ALIAS:
        changes["labels"] = {**new.labels, BACKEND: task.backend}
    return replace(new, **changes)


def calls_of(calls: Sequence[Any]) -> list[tuple[Sequence[Any], Mapping[str, Any]]]:
    """Return the arguments of many calls: for each a tuple of positional or a dict of keyword ones.

    Raises:
        InvalidTask: taskkit's: one is neither.
    """
    return [split(call) for call in calls]


def enqueue_many(task: Any, calls: Sequence[Any]) -> list[Any]:
    """Put a task for each call, all or none, in one round trip; return results in order.

    Args:
        task: The task; this is its method.
        calls: For each the arguments: a tuple of positional or a dict of keyword ones.
    """
    backend = task.get_backend()
    if hasattr(backend, "enqueue_many"):
        found: list[Any] = backend.enqueue_many(task, calls)
        return found
    # Another backend, as in tests: one by one.
    return [backend.enqueue(task, args, kwargs) for args, kwargs in calls_of(calls)]


async def aenqueue_many(task: Any, calls: Sequence[Any]) -> list[Any]:
    """Do what ``enqueue_many`` does, without blocking the event loop."""
    return await sync_to_async(enqueue_many, thread_sensitive=True)(task, calls)


def check(backend: DjangoBackend) -> list[CheckMessage]:
    """Return what is wrong with an entry of ``TASKS``."""
    found: list[CheckMessage] = []
    if not apps.is_installed("taskkit_django"):
        found.append(
            Error(
                f"TASKS[{backend.alias!r}]: taskkit is not among the installed apps.",
                hint="Add 'taskkit_django' to INSTALLED_APPS and run migrate.",
                id="taskkit.E101",
            )
        )
    if backend.options:
        found.append(
            Error(
                f"TASKS[{backend.alias!r}]['OPTIONS']: expected none, found {backend.options!r}.",
                hint="What taskkit can be told stands in TASKKIT.",
                id="taskkit.E102",
            )
        )
    for queue in sorted(backend.queues):
        found.extend(_check_queue(backend, queue))
    return found


def _check_queue(backend: DjangoBackend, queue: str) -> list[CheckMessage]:
    try:
        check_group(queue)
    except InvalidInput as error:
        text = f"TASKS[{backend.alias!r}]['QUEUES']: {error}."
        return [Error(text, hint="Give the queue another name.", id="taskkit.E103")]
    if len(queue) > _LONGEST_QUEUE:
        text = (
            f"TASKS[{backend.alias!r}]['QUEUES']: {queue!r} makes ids of more than "
            f"{_LONGEST_ID} characters."
        )
        hint = (
            f"Other code may expect ids of at most {_LONGEST_ID}, as Django promises: call the "
            f"queue by at most {_LONGEST_QUEUE} characters."
        )
        return [Warning(text, hint=hint, id="taskkit.W104")]
    return []
