"""Calls of tasks as objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from taskkit_django.celery.result import AsyncResult

if TYPE_CHECKING:
    from taskkit_django.celery.shared import SharedTask

P = ParamSpec("P")
R = TypeVar("R")


class Signature(Generic[P, R]):
    """A call that can be put later; ``set`` changes its options in place."""

    def __init__(
        self, task: SharedTask[P, R], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self.task = task
        self.args = tuple(args)
        self.kwargs = dict(kwargs)
        self.options: dict[str, Any] = {}

    def __repr__(self) -> str:
        given = [repr(arg) for arg in self.args]
        given += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        return f"{self.task.name}({', '.join(given)})"

    def __call__(self) -> R:
        """Call the function here and now."""
        return cast("R", self.task.run(*self.args, **self.kwargs))

    def set(self, **options: Any) -> Signature[P, R]:
        """Take options of ``apply_async``, and return the same object."""
        self.options.update(options)
        return self

    def delay(self) -> AsyncResult[R]:
        """Put the task."""
        return self.apply_async()

    def apply_async(self, **options: Any) -> AsyncResult[R]:
        """Put the task, with these options beside its own."""
        return self.task.apply_async(self.args, self.kwargs, **{**self.options, **options})
