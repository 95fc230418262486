"""What a task means: the protocol that a user implements, or that ``TaskRegistry`` is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol

from taskkit.task import NewTask, Task


class TaskHandler(Protocol):
    """Gives tasks their meaning. Subclass it, or have the same methods.

    A worker calls it from many threads at once.
    """

    if not TYPE_CHECKING:  # type checkers would ask it of every handler, as part of the protocol

        def __init_subclass__(cls, **options: Any) -> None:
            super().__init_subclass__(**options)
            encode_data = cls.__dict__.get("encode_data")
            if isinstance(encode_data, FunctionType):
                cls.encode_data = _OnClassToo(encode_data)

    def handle(self, task: Task) -> Any:
        """Do the work and return the result, which ``encode_result`` must be able to encode.

        It may be, or return, a coroutine; that runs on the worker's event loop.

        Raises:
            DiscardTask: drop the task without a trace.
            RetryTask: run it again.
            UnknownTask, InvalidData: the name is not known, or the data cannot be decoded; the task
                fails without being retried.
            Exception: anything else is asked of ``get_retry_interval``.
        """
        ...

    def get_retry_interval(self, task: Task, exception: Exception) -> float | None:
        """Return in how many seconds to retry a task that raised, or None to let it fail.

        Raises:
            DiscardTask: drop the task without a trace.
            Exception: this rule is broken; the task is retried after ``retry_count + 1`` seconds.
        """
        ...

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:
        """Encode the data of a task.

        In a subclass it can be called on the class as well, for the data of schedule entries.
        """
        ...

    def encode_result(self, task: Task, result: Any) -> bytes:
        """Encode what ``handle`` returned."""
        ...

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        """Decode a result, for ``Result.get``."""
        ...


class AsyncAware(Protocol):
    """A handler that knows beforehand which tasks are ``async def``.

    Optional. With it, a task in a group of async slots that is not async runs in a thread instead
    of on the event loop, which it would block.
    """

    def is_async(self, task: Task) -> bool:
        """Return whether ``handle`` will return a coroutine for this task."""
        ...


class Isolating(Protocol):
    """A handler that wants some tasks run in a child process of their own. Optional."""

    def is_isolated(self, task: Task) -> bool:
        """Return whether the task must run in a killable child process."""
        ...


class Completing(Protocol):
    """A handler that knows more about a task than whoever put it by its name. Optional."""

    def complete(self, task: NewTask) -> NewTask:
        """Return the task with the handler's own options, such as a timeout, where it has none."""
        ...


def completed(handler: TaskHandler | None, task: NewTask) -> NewTask:
    """Return a task that was put by its name with what the handler adds to it, if it does."""
    complete: Callable[[NewTask], NewTask] | None = getattr(handler, "complete", None)
    return task if complete is None else complete(task)


class _OnClassToo:
    """Makes ``encode_data`` callable on the class: ``Handler.encode_data(group, name, data)``.

    Programs written for the original taskkit build their schedule entries like that, before they
    have an instance. Whether ``self`` was given is told by its type: explicit calls of a base
    class's method, ``Base.encode_data(self, …)``, work as ever.
    """

    def __init__(self, function: Callable[..., bytes]) -> None:
        self._function = function

    def __get__(self, instance: object, owner: type[Any]) -> Callable[..., bytes]:
        function = self._function
        if instance is not None:
            return function.__get__(instance, owner)  # type: ignore[no-any-return]  # a bound method

        @functools.wraps(function)
        def encode_data(*args: Any, **kwargs: Any) -> bytes:
            if "self" in kwargs or (args and isinstance(args[0], owner)):
                return function(*args, **kwargs)
            return function(owner(), *args, **kwargs)

        return encode_data
