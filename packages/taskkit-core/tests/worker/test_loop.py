"""Coroutines that a thread waits for, interrupted before they have begun, and a loop's end."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from inspect import CORO_CLOSED, getcoroutinestate

import pytest

from taskkit.context import TaskContext
from taskkit.errors import AttemptCancelled, AttemptTimedOut
from taskkit.records import Claim
from taskkit.task import Task
from taskkit.worker import loop as loop_module
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
        is_taken = super().call(function, *arguments)
        self.handed += 1
        return is_taken


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


def test_after_its_end_nothing_is_run_and_no_other_loop_is_started(loop):
    async def thread():
        return threading.current_thread()

    used = loop.resolve(thread())
    loop.stop()
    assert not used.is_alive()
    assert not loop.call(pytest.fail, "called after the end")
    for context in (None, attempt()):
        coroutine = thread()
        with pytest.raises(AttemptCancelled, match="the worker has ended"):
            loop.resolve(coroutine, context)
        assert getcoroutinestate(coroutine) == CORO_CLOSED
    assert loop.thread == used.ident  # the old one
    loop.stop()


def test_a_loop_that_was_never_started_is_stopped_for_good_too(loop):
    loop.stop()
    assert not loop.call(pytest.fail, "called after the end")
    assert loop.thread == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the one that stays
def test_a_coroutine_that_ignores_its_cancellation_keeps_no_thread_waiting(loop, monkeypatch):
    monkeypatch.setattr(loop_module, "STOP_TIMEOUT", 0.2)
    begun = threading.Event()
    ended = []

    async def ignore():
        begun.set()
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)

    def wait():
        try:
            loop.resolve(ignore())
        except AttemptCancelled:
            ended.append("cancelled")

    thread = threading.Thread(target=wait)
    thread.start()
    begun.wait()
    loop.stop()
    thread.join(60)
    assert ended == ["cancelled"]
