"""Hooks as the engine calls them: resolved once, typed, and free where nobody listens."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, cast

from taskkit.plugins import hook_manager

if TYPE_CHECKING:
    from pluggy import HookImpl

    from taskkit.records import Claim, PutResult, WorkerInfo
    from taskkit.task import Failure, Instant, NewTask

_log = logging.getLogger("taskkit.hooks")


class Hooks:
    """The plugins of a kit. One object for all threads; nothing in it changes after creation.

    Each ``on_…`` flag says whether anybody implements that hook, so that the hot path can pass by.
    """

    def __init__(self, plugins: Sequence[object] = ()) -> None:
        hook = hook_manager(tuple(plugins)).hook
        self._hook = hook
        # In the order of registration; pluggy keeps the last one first.
        self._enqueue: list[HookImpl] = list(reversed(hook.taskkit_enqueue.get_hookimpls()))
        self.on_enqueue = bool(self._enqueue)
        self.on_enqueued = bool(hook.taskkit_enqueued.get_hookimpls())
        self.handles = bool(hook.taskkit_handling.get_hookimpls())
        self.on_success = bool(hook.taskkit_success.get_hookimpls())
        self.on_retry = bool(hook.taskkit_retry.get_hookimpls())
        self.on_failure = bool(hook.taskkit_failure.get_hookimpls())
        self.resolve: Callable[[Awaitable[Any]], Any] = run_awaitable
        """How the awaitable of an async hook is run; a worker puts its event loop here."""

    def enqueue(self, tasks: Sequence[NewTask]) -> Sequence[NewTask]:
        """Return the tasks as the plugins want them put. What a plugin raises refuses them all."""
        return [self._enqueue_one(task) for task in tasks]

    def _enqueue_one(self, task: NewTask) -> NewTask:
        for impl in self._enqueue:
            answer = impl.function(*(task for _ in impl.argnames))
            replaced = self.resolve(answer) if inspect.isawaitable(answer) else answer
            if replaced is not None:
                task = cast("NewTask", replaced)
        return task

    def enqueued(self, task: NewTask, put: PutResult) -> None:
        """Tell that a task was put."""
        self._tell(self._hook.taskkit_enqueued, task=task, put=put)

    def handling(
        self, claim: Claim
    ) -> list[AbstractContextManager[Any] | AbstractAsyncContextManager[Any]]:
        """Return what is to be entered around the handling of a claim, outermost first."""
        answers = [
            self.resolve(answer) if inspect.isawaitable(answer) else answer
            for answer in self._hook.taskkit_handling(claim=claim)
        ]
        return list(reversed(answers))

    def succeeded(self, claim: Claim) -> None:
        """Tell that an attempt succeeded."""
        self._tell(self._hook.taskkit_success, claim=claim)

    def retried(self, claim: Claim, failure: Failure, due: Instant | None) -> None:
        """Tell that an attempt failed and the task will be retried."""
        self._tell(self._hook.taskkit_retry, claim=claim, failure=failure, due=due)

    def failed(self, claim: Claim, failure: Failure) -> None:
        """Tell that a task failed for good."""
        self._tell(self._hook.taskkit_failure, claim=claim, failure=failure)

    def worker_started(self, info: WorkerInfo) -> None:
        """Tell that a worker has registered."""
        self._tell(self._hook.taskkit_worker_start, info=info)

    def worker_stopped(self, info: WorkerInfo) -> None:
        """Tell that a worker has settled everything and retires."""
        self._tell(self._hook.taskkit_worker_stop, info=info)

    def _tell(self, caller: Any, **arguments: Any) -> None:
        # Each implementation by itself: the exception of one must not silence the others.
        for impl in reversed(caller.get_hookimpls()):
            try:
                answer = impl.function(*(arguments[name] for name in impl.argnames))
                if inspect.isawaitable(answer):
                    self.resolve(answer)
            except Exception:  # noqa: BLE001 - a listener must not decide what becomes of a task
                _log.exception("plugin %s: %s raised", impl.plugin_name, caller.name)


def run_awaitable(awaitable: Awaitable[Any]) -> Any:
    """Run an awaitable to its end from a thread that may have a running event loop or not."""
    import asyncio

    async def to_its_end() -> Any:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(to_its_end())
    # A loop runs in this thread and cannot run another: lend it a thread, and the context variables
    # of this one, among which is the task.
    answer: list[Any] = []
    failed: list[BaseException] = []

    def lent() -> None:
        try:
            answer.append(asyncio.run(to_its_end()))
        except BaseException as error:  # noqa: BLE001 - carried over to the calling thread
            failed.append(error)

    run = copy_context().run
    thread = threading.Thread(target=run, args=(lent,), name="taskkit-async-hook", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return answer[0]
