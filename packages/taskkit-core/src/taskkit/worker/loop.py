"""The worker's event loop: one thread, started when the first coroutine needs it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Final

from taskkit.hooks import run_awaitable

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from taskkit.context import TaskContext

STOP_TIMEOUT: Final = 2.0
"""Seconds that coroutines get to end after they were cancelled at the very end."""

_log = logging.getLogger("taskkit.worker.loop")


class LoopThread:
    """Runs coroutines for everybody in the process. Thread-safe.

    asyncio is imported with the first use: a worker without coroutines does not pay for it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The running loop; started if need be."""
        loop = self._loop
        return self._start() if loop is None else loop

    @property
    def thread(self) -> int:
        """The loop's thread; 0 before it was started."""
        return 0 if self._thread is None else self._thread.ident or 0

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function on the loop, soon."""
        self.loop.call_soon_threadsafe(function, *arguments)

    def resolve(self, awaitable: Awaitable[Any], context: TaskContext | None = None) -> Any:
        """Run an awaitable on the loop, in the caller's context variables, and wait for it.

        An interruption of ``context`` cancels it. On the loop's own thread, which cannot wait for
        itself, it runs on a loop of its own.
        """
        loop = self.loop
        if threading.get_ident() == self.thread:
            return run_awaitable(awaitable)
        from concurrent.futures import Future

        done: Future[Any] = Future()
        begun: list[asyncio.Task[Any]] = []
        variables = copy_context()

        def begin() -> None:
            task = loop.create_task(_settle(awaitable, done), context=variables)
            begun.append(task)

        def cancel_begun() -> None:
            begun[0].cancel()

        def cancel(*_: object) -> None:
            # Not before it has begun: calls are run in their order.
            loop.call_soon_threadsafe(cancel_begun)

        loop.call_soon_threadsafe(begin)
        if context is None:
            return done.result()
        context.relay = cancel
        try:
            if context.interrupted is not None:
                cancel()
            return done.result()
        finally:
            context.relay = None

    def stop(self) -> None:
        """Cancel what still runs and end the thread; nothing if it was never started."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(STOP_TIMEOUT * 2)

    def _start(self) -> asyncio.AbstractEventLoop:
        import asyncio

        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_serve, args=(loop,), name="taskkit-loop", daemon=True
                )
                self._thread.start()
                self._loop = loop
            return self._loop


async def _settle(awaitable: Awaitable[Any], done: Future[Any]) -> None:
    try:
        result = await awaitable
    except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
        done.set_exception(error)
    else:
        done.set_result(result)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    import asyncio

    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=STOP_TIMEOUT))
        loop.run_until_complete(loop.shutdown_asyncgens())
    except Exception:  # noqa: BLE001 - the worker ends anyway; logged
        _log.exception("the event loop could not be ended in good order")
    finally:
        loop.close()
