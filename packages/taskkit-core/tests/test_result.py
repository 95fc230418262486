"""Waiting for results: as long as was said, whoever else waits, and in forks too."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import textwrap
import threading

import pytest

from taskkit import Kit, TaskRegistry
from taskkit.errors import InvalidTask, ResultGetTimedOut, TaskCancelled
from taskkit.memory import MemoryBackend
from taskkit.result import ASYNC_WAITERS

PATIENCE = 30
"""Seconds after which what should have ended is called hung."""


HUGE = pytest.param(10**5000, id="huge")


class Deaf(MemoryBackend):
    """A store whose waits end only when the test says so."""

    def __init__(self):
        super().__init__()
        self.waits: list[str] = []
        self.full = threading.Event()
        self.release = threading.Event()

    def wait_done(self, task_id, timeout):
        self.waits.append(task_id)
        if len(self.waits) >= ASYNC_WAITERS:
            self.full.set()
        return self.release.wait(2 * PATIENCE)


def put(backend, number):
    tasks = TaskRegistry()
    Kit(backend, tasks)
    return tasks.task(group="mail", name="send")(lambda: None).delay_many([()] * number)


def test_a_timeout_is_kept_though_every_waiting_thread_is_taken():
    backend = Deaf()
    late, cancelled, *others = put(backend, ASYNC_WAITERS + 2)

    async def main():
        waiting = [asyncio.ensure_future(other.aget()) for other in others]
        assert await asyncio.to_thread(backend.full.wait, PATIENCE)
        for timeout in (0, 0.05):
            with pytest.raises(ResultGetTimedOut, match=f"queued after waiting {timeout} s"):
                await asyncio.wait_for(late.aget(timeout), PATIENCE)
        # How it ended meanwhile is seen at the last moment.
        asked = asyncio.ensure_future(cancelled.aget(0.05))
        backend.cancel([cancelled.id])
        with pytest.raises(TaskCancelled):
            await asyncio.wait_for(asked, PATIENCE)
        for each in waiting:
            each.cancel()
        await asyncio.wait(waiting)

    try:
        asyncio.run(main())
    finally:
        backend.release.set()
    # Those that gave up before a thread was free have left nothing for it to do.
    assert sorted(backend.waits) == sorted(other.id for other in others)


def test_a_cancelled_wait_does_not_wait():
    backend = Deaf()
    [result] = put(backend, 1)

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(result.aget(PATIENCE), 0.05)

    try:
        asyncio.run(main())
    finally:
        backend.release.set()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_of_a_process_that_waited_can_wait_itself():
    program = """
        import asyncio, os, signal, time
        from taskkit import Kit, TaskRegistry
        from taskkit.memory import MemoryBackend

        class Lockless(MemoryBackend):
            # A thread that still waits at the fork must hold no lock that the fork would inherit.
            def wait_done(self, task_id, timeout):
                time.sleep(timeout)
                return False

        tasks = TaskRegistry()
        kit = Kit(Lockless(), tasks)
        five = tasks.task(name="five")(lambda: 5)
        result = five.options(eager=True).delay()
        waiting = five.delay()

        async def main():
            try:
                await waiting.aget(0.01)
            except TimeoutError:
                return await result.aget(1)

        assert asyncio.run(main()) == 5
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            os._exit(asyncio.run(main()))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
    """
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        check=True,
        timeout=4 * PATIENCE,
    )


@pytest.mark.parametrize("timeout", [math.nan, math.inf, "1", True, 1e10, HUGE])
def test_a_timeout_that_cannot_be_one_is_refused(timeout):
    [result] = put(MemoryBackend(), 1)
    with pytest.raises(InvalidTask, match="timeout: expected seconds, from 0, found"):
        result.get(timeout)
    with pytest.raises(InvalidTask, match="timeout: expected seconds, from 0, found"):
        asyncio.run(result.aget(timeout))


@pytest.mark.parametrize("timeout", [0, -0.001, -math.inf, pytest.param(-(10**5000), id="-huge")])
def test_a_deadline_that_has_passed_only_looks(timeout):
    backend = Deaf()
    [result] = put(backend, 1)
    with pytest.raises(ResultGetTimedOut):
        result.get(timeout)
    with pytest.raises(ResultGetTimedOut):
        asyncio.run(result.aget(timeout))
    assert backend.waits == []
