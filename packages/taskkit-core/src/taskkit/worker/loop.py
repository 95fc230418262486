"""The worker's event loop: one thread, started when the first coroutine needs it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from inspect import CORO_CREATED, getcoroutinestate
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final

from taskkit.errors import AttemptCancelled
from taskkit.hooks import run_awaitable
from taskkit.worker.interrupt import absorb

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
        self._is_stopped = False
        # Of the loop's thread alone.
        self._is_over = False
        self._awaited: set[_Awaited] = set()

    @property
    def thread(self) -> int:
        """The loop's thread; 0 before it was started."""
        return 0 if self._thread is None else self._thread.ident or 0

    def call(self, function: Callable[..., object], *arguments: Any) -> bool:
        """Call a function on the loop, soon; start it if need be. False after ``stop``: it is not.

        A thread that outlived its worker may still ask: a loop that is started for it, nobody ends.
        """
        with self._lock:
            if self._is_stopped:
                return False
            loop = self._loop or self._start()
            loop.call_soon_threadsafe(function, *arguments)
            return True

    def resolve(self, awaitable: Awaitable[Any], context: TaskContext | None = None) -> Any:
        """Run an awaitable on the loop, in the caller's context variables, and wait for it.

        An interruption of ``context`` cancels it; one that comes before it has begun is raised
        here, and not a line of it runs. On the loop's own thread, which cannot wait for itself, it
        runs on a loop of its own.

        Raises:
            AttemptCancelled: the loop was stopped before it had ended.
        """
        if threading.get_ident() == self.thread:
            return run_awaitable(awaitable)
        awaited = _Awaited(awaitable, self._awaited)
        if context is None:
            return self._wait_for(awaited)
        # Before anything is made: an exception that lands while a loop is being started would
        # leave half of one behind. From here on an interruption lands in the coroutine alone.
        context.relay = lambda *_: self.call(awaited.cancel)
        try:
            if context.interrupted is not None:
                absorb(context)  # it was on its way to this thread
                discard(awaitable)
                raise context.interrupted
            return self._wait_for(awaited)
        finally:
            context.relay = None

    def _wait_for(self, awaited: _Awaited) -> Any:
        if not self.call(awaited.begin, copy_context()):
            awaited.give_up()
        return awaited.done.result()

    def stop(self) -> None:
        """Cancel what still runs and end the thread; nothing more is run from now on."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
            self._is_stopped = True
        if loop is not None and thread is not None:
            import asyncio

            # Kept in a variable: asyncio itself refers to its tasks only weakly.
            ending = asyncio.run_coroutine_threadsafe(self._end(loop), loop)
            thread.join(STOP_TIMEOUT * 2)
            del ending

    def _start(self) -> asyncio.AbstractEventLoop:
        import asyncio

        loop = asyncio.new_event_loop()
        thread = threading.Thread(
            target=self._serve, args=(loop,), name="taskkit-loop", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:  # the system lets us have no more threads
            loop.close()
            raise
        self._thread, self._loop = thread, loop
        return loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        asyncio.set_event_loop(loop)
        try:
            while not self._is_over:
                # asyncio lets these two out of the loop when a task raises them: a sub-task does,
                # an attempt lets nothing out. Neither they nor a call of `loop.stop` may end the
                # others.
                try:
                    loop.run_forever()
                except (SystemExit, KeyboardInterrupt) as error:
                    _log.exception("%r left a task that was started on the worker's loop", error)
        finally:
            loop.close()

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        import asyncio

        try:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            if others:
                await asyncio.wait(others, timeout=STOP_TIMEOUT)
            # A coroutine may take no notice; the thread that waits for it is not to wait for ever.
            for awaited in self._awaited.copy():
                awaited.give_up()
            await loop.shutdown_asyncgens()
        except Exception:  # noqa: BLE001 - the worker ends anyway; logged
            _log.exception("the event loop could not be ended in good order")
        finally:
            self._is_over = True
            loop.stop()


class _Awaited:
    """An awaitable that a thread waits for. Except for its making, everything is on the loop.

    From its beginning to its end it is in ``begun``.
    """

    def __init__(self, awaitable: Awaitable[Any], begun: set[_Awaited]) -> None:
        from concurrent.futures import Future

        self._awaitable = awaitable
        self._begun = begun
        self._task: asyncio.Task[None] | None = None
        self._is_running = False
        self._is_cancelled = False
        self.done: Future[Any] = Future()

    def begin(self, variables: Context) -> None:
        """Run it, in these context variables."""
        import asyncio

        loop = asyncio.get_running_loop()
        self._begun.add(self)
        self._task = loop.create_task(self._settle(), context=variables)

    def cancel(self) -> None:
        """Cancel it, or see to it that it does not begin."""
        self._is_cancelled = True
        # A task that is cancelled before its first step never enters its coroutine, and the thread
        # would wait for ever.
        if self._is_running and self._task is not None:
            self._task.cancel()

    def give_up(self) -> None:
        """Wait for it no longer: the loop was stopped. If it has not begun, it never will."""
        discard(self._awaitable)
        self._begun.discard(self)
        self.done.set_exception(AttemptCancelled("the worker has ended and runs no coroutine"))

    async def _settle(self) -> None:
        import asyncio

        self._is_running = True
        try:
            if self._is_cancelled:
                discard(self._awaitable)
                raise asyncio.CancelledError  # noqa: TRY301 - as if the awaitable had raised it
            result = await self._awaitable
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
            if self in self._begun:  # it may have been given up
                self.done.set_exception(error)
        else:
            if self in self._begun:
                self.done.set_result(result)
        self._begun.discard(self)


def discard(awaitable: object) -> None:
    """Close a coroutine that was never begun; Python would warn of it. None of its code runs."""
    if isinstance(awaitable, CoroutineType) and getcoroutinestate(awaitable) == CORO_CREATED:
        awaitable.close()
