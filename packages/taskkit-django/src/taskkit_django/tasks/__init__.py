"""Django's own tasks, kept in taskkit.

``TASKS = {"default": {"BACKEND": "taskkit_django.tasks.TaskkitBackend"}}`` is all that a project
with ``django.tasks`` (Django 6) or ``django_tasks`` (the backport) has to say. ``task`` is their
decorator with retries, timeouts, uniqueness and more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from taskkit_django.tasks.decorator import default_surface, task
from taskkit_django.tasks.operating import cancel, reschedule

if TYPE_CHECKING:
    from taskkit_django.tasks.native import TaskkitBackend, TaskkitTask

__all__ = ["TaskkitBackend", "TaskkitTask", "cancel", "reschedule", "task"]


def __getattr__(name: str) -> Any:
    # Which package these are of depends on Django's version, and the backport may be missing.
    if name == "TaskkitTask":
        return default_surface().task_class
    if name == "TaskkitBackend":
        return import_module(default_surface().task_class.__module__).TaskkitBackend
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
