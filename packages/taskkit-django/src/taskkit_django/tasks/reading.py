"""Finding Django's tasks and their results by what is stored."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

from django.utils.module_loading import import_string

from taskkit.errors import InvalidData, UnknownTask
from taskkit_django.kit import kit
from taskkit_django.tasks.handler import HANDLER, PREFIX, surface_of
from taskkit_django.tasks.results import stored_result

if TYPE_CHECKING:
    from taskkit.task import Task
    from taskkit_django.tasks.surface import DjangoTask, Surface


def find_task(stored: Task) -> DjangoTask:
    """Return the task of Django of which a call is stored.

    Raises:
        UnknownTask: its import path leads to none.
    """
    path = stored.name.removeprefix(PREFIX)
    try:
        found = import_string(path)
    except (ImportError, AttributeError) as error:
        raise UnknownTask(str(error), stored.name) from error
    if surface_of(found) is None:
        raise UnknownTask(f"expected a task of Django at {path}, found {found!r:.100}", stored.name)
    return cast("DjangoTask", found)


def get_result(surface: Surface, result_id: str) -> Any:
    """Return a result by its id.

    Raises:
        TaskResultDoesNotExist: the store knows no task of Django of this id, or its code is gone.
    """
    record = kit().backend.get([result_id]).get(result_id)
    if record is None or not record.task.name.startswith(PREFIX):
        raise surface.no_result(result_id)
    try:
        task = find_task(record.task)
        call = HANDLER.read_data(record.task.data)
    except (UnknownTask, InvalidData) as error:
        raise surface.no_result(f"{result_id}: {error}") from error
    value = None if record.result is None else json.loads(record.result)
    return stored_result(surface, task, record, call, value)
