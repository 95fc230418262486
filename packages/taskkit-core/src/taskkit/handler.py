"""What a task means: the protocol that a user implements, or that ``TaskRegistry`` is."""

from __future__ import annotations

from typing import Any, Protocol

from taskkit.task import Task


class TaskHandler(Protocol):
    """Gives tasks their meaning. Subclass it, or have the same methods.

    A worker calls it from many threads at once.
    """

    def handle(self, task: Task) -> Any:
        """Do the work and return the result, which ``encode_result`` must be able to encode.

        It may be, or return, a coroutine; that runs on the worker's event loop.

        Raises:
            DiscardTask: drop the task without a trace.
            RetryTask: run it again.
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
        """Encode the data of a task."""
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
