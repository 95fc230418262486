"""The future outcome of a task, in the hands of whoever initiated it."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from taskkit.clock import monotonic
from taskkit.errors import (
    ResultGetPrevented,
    ResultGetTimedOut,
    TaskCancelled,
    TaskFailed,
    TaskLost,
    TaskNotFound,
)
from taskkit.limits import check_duration
from taskkit.records import Record
from taskkit.shown import shown
from taskkit.task import Failure, State

if TYPE_CHECKING:
    from taskkit.kit import Kit

T_co = TypeVar("T_co", covariant=True)

ASYNC_WAITERS: Final = 64
"""Threads in which all ``aget`` of this process wait, and …"""
_ASYNC_READERS: Final = 8
"""… those in which they read, so that whoever waits keeps nobody from seeing that it is over."""
_SLICE: Final = 1.0
"""Seconds of one wait in ``aget``: how long a cancelled one may keep its thread."""

_RAISED: Final = {
    State.FAILED: TaskFailed,
    State.LOST: TaskLost,
    State.CANCELLED: TaskCancelled,
}


class Result(Generic[T_co]):
    """What becomes of one task. Cheap to make, safe to share between threads."""

    __slots__ = ("_kit", "_record", "id")

    def __init__(self, kit: Kit, task_id: str) -> None:
        self._kit = kit
        self._record: Record | None = None
        self.id = task_id
        """The task's id."""

    def __repr__(self) -> str:
        return f"Result({self.id!r})"

    @property
    def record(self) -> Record:
        """All that the store knows about the task now; fixed once it has finished.

        Raises:
            TaskNotFound: the store does not know it.
        """
        if self._record is None:
            record = self._kit.backend.get([self.id])[self.id]
            if record is None:
                raise TaskNotFound(self.id)
            # A finished task can be requeued by hand, so only success is for ever.
            if record.state is not State.SUCCEEDED:
                return record
            self._record = record
        return self._record

    @property
    def status(self) -> State:
        """The task's state now.

        Raises:
            TaskNotFound: the store does not know it.
        """
        return self.record.state

    def get(
        self,
        timeout: float | None = None,
        *,
        allow_in_task: bool = False,
        avoid_assertion: bool = False,
    ) -> T_co:
        """Wait until the task has finished and return its result, decoded.

        Args:
            timeout: Seconds to wait at the most; None waits for ever, 0 and less only look.
            allow_in_task: Permit it inside a task, where it occupies a slot that the awaited task
                may need.
            avoid_assertion: An older name of ``allow_in_task``.

        Raises:
            ResultGetTimedOut: it has not finished in time.
            TaskFailed: it failed (``TaskLost``, ``TaskCancelled``: it was lost or cancelled).
            TaskNotFound: the store does not know it.
            ResultGetPrevented: called inside a task.
            InvalidTask: the timeout is not a number of seconds.
        """
        self._check_place(allow=allow_in_task or avoid_assertion)
        end = _end_of(timeout)
        while True:
            record = self.record
            if record.state.finished:
                return self._outcome(record)
            remaining = 60.0 if end is None else end - monotonic()
            if remaining <= 0:
                raise self._timed_out(record, timeout)
            self._kit.backend.wait_done(self.id, min(remaining, 60.0))

    async def aget(self, timeout: float | None = None, *, allow_in_task: bool = False) -> T_co:
        """Do what ``get`` does, without blocking the event loop."""
        import asyncio

        self._check_place(allow=allow_in_task)
        loop = asyncio.get_running_loop()
        end = _end_of(timeout)
        while True:
            record = await loop.run_in_executor(_readers(), lambda: self.record)
            if record.state.finished:
                return self._outcome(record)
            remaining = None if end is None else end - monotonic()
            if remaining is not None and remaining <= 0:
                raise self._timed_out(record, timeout)
            part = _SLICE if remaining is None else min(remaining, _SLICE)
            # The time to get a thread counts too: where all are taken, it may be all there is.
            # What gives up in the queue leaves it; what has a thread, at the end of its slice.
            with suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await loop.run_in_executor(
                        _waiters(), self._kit.backend.wait_done, self.id, part
                    )

    def _check_place(self, *, allow: bool) -> None:
        from taskkit.context import in_task

        if not allow and in_task():
            raise ResultGetPrevented(
                "a task waits for another task's result: when all slots do that, nothing runs "
                "any more. Initiate a follow-up task instead, or pass allow_in_task=True"
            )

    def _timed_out(self, record: Record, timeout: float | None) -> ResultGetTimedOut:
        return ResultGetTimedOut(
            f"task {self.id!r} is {record.state.value} after waiting {shown(timeout)} s for its "
            "result"
        )

    def _outcome(self, record: Record) -> T_co:
        if record.state is State.SUCCEEDED:
            value: Any = self._kit.handler.decode_result(record.task, record.result or b"")
            return value  # type: ignore[no-any-return]  # the handler's word for it
        failure = record.failure or Failure("", record.state.value)
        raise _RAISED[record.state](self.id, failure)


def _end_of(timeout: object) -> float | None:
    if timeout is None:
        return None
    # What a caller has left of a time of its own may be less than nothing.
    seconds = 0 if isinstance(timeout, int | float) and timeout < 0 else timeout
    check_duration("timeout", seconds)
    assert isinstance(seconds, int | float)
    return monotonic() + seconds


@cache
def _waiters() -> ThreadPoolExecutor:
    # Not the loop's own pool: on two cores that has six threads, and waiting fills them.
    return ThreadPoolExecutor(ASYNC_WAITERS, thread_name_prefix="taskkit-aget")


@cache
def _readers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_ASYNC_READERS, thread_name_prefix="taskkit-aget-read")


if hasattr(os, "register_at_fork"):
    # A fork has the pools but not their threads: what it handed them would wait for ever.
    os.register_at_fork(after_in_child=_waiters.cache_clear)
    os.register_at_fork(after_in_child=_readers.cache_clear)
