"""Coroutines that a thread waits for, interrupted before they have begun."""

from __future__ import annotations

import asyncio
import threading
from inspect import CORO_CLOSED, getcoroutinestate

import pytest

from taskkit.context import TaskContext
from taskkit.errors import AttemptCancelled, AttemptTimedOut
from taskkit.records import Claim
from taskkit.task import Task
from taskkit.worker.interrupt import interrupt
from taskkit.worker.loop import LoopThread


def attempt(thread: int | None = None) -> TaskContext:
    claim = Claim(Task("g_1", "g", "n", b"", 0, 0), 1, 1, 0, 0)
    context = TaskContext(claim, thread=threading.get_ident() if thread is None else thread)
    context.open = True
    return context


class Loop(LoopThread):
    """Tells how many calls were handed to it."""

    handed = 0

    def call(self, function, *arguments):
        super().call(function, *arguments)
        self.handed += 1


@pytest.fixture
def loop():
    made = Loop()
    yield made
    made.stop()


def test_an_interruption_that_came_first_is_raised_and_nothing_is_begun(loop):
    lines = []

    async def work():
        lines.append("begun")

    context = attempt()
    context.interrupted = AttemptTimedOut
    coroutine = work()
    with pytest.raises(AttemptTimedOut):
        loop.resolve(coroutine, context)
    assert (lines, getcoroutinestate(coroutine)) == ([], CORO_CLOSED)
    assert loop.thread == 0  # nor was the loop started
    assert context.relay is None


def test_a_coroutine_that_is_cancelled_before_its_first_step_ends_its_threads_wait(bench, loop):
    lines = []
    contexts = []
    ended = []
    is_blocked, go_on = threading.Event(), threading.Event()

    def block():
        is_blocked.set()
        go_on.wait()

    async def work():
        lines.append("begun")

    coroutine = work()

    def wait():
        contexts.append(attempt())
        try:
            loop.resolve(coroutine, contexts[0])
        except asyncio.CancelledError:
            ended.append("cancelled")

    loop.call(block)
    is_blocked.wait()
    thread = threading.Thread(target=wait)
    thread.start()
    # Both calls lie before the loop: the one that begins the coroutine, then the one that cancels.
    bench.eventually(lambda: loop.handed == 2, "the coroutine is handed over")
    assert interrupt(contexts[0], AttemptCancelled)
    go_on.set()
    thread.join(60)
    assert (ended, lines) == (["cancelled"], [])
    assert getcoroutinestate(coroutine) == CORO_CLOSED
