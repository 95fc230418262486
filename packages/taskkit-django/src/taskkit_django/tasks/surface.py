"""What ``django.tasks`` and its backport ``django_tasks`` have in common, under one set of names.

They are two packages with the same classes in each, and none of one is an instance of the other's.
Everything about tasks of Django is written once, for a ``Surface``; ``native`` and ``backport``
fill one in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from django.dispatch import Signal

    from taskkit.registry import TaskOptions


class DjangoTask(Protocol):
    """A function with the options of ``@task``, as far as it is used here."""

    @property
    def func(self) -> Callable[..., Any]:
        """The function."""
        ...

    @property
    def priority(self) -> int:
        """−100 to 100, high first."""
        ...

    @property
    def backend(self) -> str:
        """The alias of its backend in ``TASKS``."""
        ...

    @property
    def queue_name(self) -> str:
        """Its queue: a group."""
        ...

    @property
    def run_after(self) -> datetime | None:
        """When it may run."""
        ...

    @property
    def takes_context(self) -> bool:
        """Whether the function gets a ``TaskContext`` first."""
        ...

    @property
    def module_path(self) -> str:
        """Its import path."""
        ...

    def get_backend(self) -> DjangoBackend:
        """Return its backend."""
        ...

    def using(self, **changes: Any) -> DjangoTask:
        """Return the task with other options."""
        ...


class DjangoBackend(Protocol):
    """An entry of ``TASKS``, as far as it is used here."""

    alias: str
    queues: set[str]
    options: dict[str, Any]

    def validate_task(self, task: Any) -> None:
        """Refuse what cannot be put."""
        ...


@dataclass(frozen=True, slots=True)
class Surface:
    """One of the two packages."""

    task_class: type[Any]
    """``Task``, as ``TaskkitBackend`` extends it."""
    result_class: type[Any]
    error_class: type[Any]
    context_class: type[Any]
    status: Any
    """The enumeration ``TaskResultStatus``."""
    enqueued: Signal
    started: Signal
    finished: Signal
    invalid_task: type[Exception]
    no_result: type[Exception]
    normalize_json: Callable[[Any], Any]


def options_of(task: Any) -> TaskOptions | None:
    """Return what taskkit's own decorator said of a task beside Django's options."""
    options: TaskOptions | None = getattr(task, "options", None)
    return options
