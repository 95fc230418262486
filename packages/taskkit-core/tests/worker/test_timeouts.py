"""Timeouts, cancellation, stuck threads: ending an attempt from outside."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from taskkit.context import TaskContext, current_task
from taskkit.errors import AttemptCancelled, AttemptTimedOut
from taskkit.records import Claim, Outcome
from taskkit.task import State, Task
from taskkit.worker import deadlines
from taskkit.worker.interrupt import abandon, absorb, interrupt
from taskkit.worker.runtime import ExitReason


def test_a_timeout_is_raised_inside_the_task_and_its_retry_rule_decides(bench):
    gate = bench.gate()
    seen = []

    def work(task):
        if task.retry_count:
            return "second time"
        try:
            return gate(task)
        except AttemptTimedOut:
            seen.append("told")
            raise

    handler = bench.handler(work=work)
    handler.retry = lambda task, error: 0.0 if isinstance(error, AttemptTimedOut) else None
    bench.worker(handler)
    task_id = bench.put("work", timeout=0.05)
    assert bench.finished(task_id).result == b'"second time"'
    assert seen == ["told"]
    first = bench.record(task_id).history[0]
    assert (first.outcome, first.failure.type) == (
        Outcome.RETRY,
        "taskkit.errors.AttemptTimedOut",
    )
    assert "timeout of 0.05 s" in first.failure.message


@pytest.mark.parametrize("error", [AttemptTimedOut, AttemptCancelled])
def test_no_driver_can_take_an_interruption_for_an_error_of_its_own_socket(error):
    # A TimeoutError is an OSError: drivers and stores make "the server cannot be reached" of it.
    assert not issubclass(error, (OSError, ValueError, LookupError))


@pytest.mark.parametrize("slots", [2, "async:2"])
def test_a_timeout_cancels_a_coroutine(bench, slots):
    begun, cleaned = [], []

    async def work(task):
        begun.append(task.id)
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned.append(current_task().id)

    bench.worker(bench.handler(work=work), {"g": slots})
    timeout = 0.05
    while not begun:  # on a busy machine the time may be up before the first line
        failure = bench.finished(bench.put("work", timeout=timeout)).failure
        assert failure.type == "taskkit.errors.AttemptTimedOut"
        timeout *= 2
    assert cleaned == begun


@pytest.mark.parametrize("slots", [1, "async:1"])
def test_tasks_after_a_timeout_are_not_hit_by_it(bench, slots):
    gate = bench.gate()

    async def sleep(task):
        await asyncio.sleep(3600)

    bench.worker(
        bench.handler(slow=sleep if slots != 1 else gate, now=lambda task: "ok"), {"g": slots}
    )
    for _ in range(5):
        told = bench.put("slow", timeout=0.02)
        ids = [bench.put("now", timeout=60) for _ in range(20)]
        bench.in_state(State.SUCCEEDED, *ids)
        assert bench.finished(told).state is State.FAILED


def test_a_timeout_that_races_the_end_of_the_task_hits_nobody_else(bench):
    # The task's length is its timeout: now the exception comes before the end, now at it, now
    # after it. Whatever happens, each task ends in one of two ways and the thread lives on.
    def work(task):
        spins = 0
        while spins < 2_000:
            spins += 1
        return "done"

    handler = bench.handler(work=work, now=lambda task: "ok")
    bench.worker(handler, {"g": 2})
    racing = [bench.put("work", timeout=0.000_2 + n * 0.000_005) for n in range(200)]
    after = [bench.put("now") for _ in range(50)]
    for task_id in racing:
        record = bench.finished(task_id)
        assert record.state is State.SUCCEEDED or "AttemptTimedOut" in record.failure.type
    bench.in_state(State.SUCCEEDED, *after)


@pytest.mark.parametrize("slots", [2, "async:2"])
def test_a_running_task_is_told_that_it_is_cancelled(bench, slots):
    gate = bench.gate()

    async def wait(task):
        gate._entered.append(task.id)
        await asyncio.sleep(3600)

    bench.worker(bench.handler(work=gate if slots == 2 else wait), {"g": slots})
    task_id = bench.put("work")
    gate.entered()
    bench.backend.cancel([task_id])
    bench.in_state(State.CANCELLED, task_id)
    assert bench.outcomes(task_id) == [Outcome.CANCEL]


def test_a_claim_that_was_not_started_is_cancelled_without_running(bench):
    # Fast tasks first, so that the worker claims ahead; then one that blocks the only slot.
    gate = bench.gate()
    runs = []
    bench.worker(
        bench.handler(fast=lambda task: None, wait=gate, note=lambda task: runs.append(task.id)),
        {"g": 1},
        heartbeat=0.02,
    )
    for _ in range(200):
        bench.put("fast")
    blocker = bench.put("wait")
    behind = [bench.put("note") for _ in range(20)]
    gate.entered()
    bench.backend.cancel(behind)
    bench.in_state(State.CANCELLED, *behind)
    gate.open()
    bench.in_state(State.SUCCEEDED, blocker)
    assert runs == []


def test_a_deleted_task_is_dropped_without_a_word(bench):
    gate = bench.gate()
    ends = []

    def work(task):
        try:
            return gate(task)
        finally:
            ends.append(task.id)

    bench.worker(bench.handler(work=work, now=lambda task: None), {"g": 1})
    task_id = bench.put("work")
    gate.entered()
    bench.backend.delete([task_id])
    bench.eventually(lambda: ends, "the task was told")
    bench.finished(bench.put("now"))


def test_a_thread_that_blocks_beyond_its_timeout_is_given_up(bench, monkeypatch, caplog):
    monkeypatch.setattr(deadlines, "MARGIN", 0.1)
    blocked = threading.Lock()
    blocked.acquire()

    def block(task):
        with blocked:  # in C code, where no exception can be raised
            return "late"

    gate = bench.gate()
    runtime = bench.worker(bench.handler(block=block, wait=gate), {"g": 2})
    stuck = bench.put("block", timeout=0.05)
    other = bench.put("wait")
    gate.entered()
    assert bench.finished(stuck).failure.type == "taskkit.errors.AttemptTimedOut"
    assert runtime.wait() is ExitReason.STUCK
    assert "with blocked:" in caplog.text
    assert caplog.text.count("still blocked") == 1
    assert not runtime.join(0.05)  # the others finish first
    gate.open()
    assert runtime.join(5)
    assert bench.record(other).state is State.SUCCEEDED
    blocked.release()
    assert bench.record(stuck).state is State.FAILED


@pytest.mark.parametrize("slots", [1, "async:1"])
def test_a_thread_that_comes_back_while_it_is_given_up_leaves_no_claim(bench, monkeypatch, slots):
    monkeypatch.setattr(deadlines, "MARGIN", 0.1)
    go_on = threading.Event()

    def block(task):
        while not go_on.wait(60):  # in C code, where no exception can be raised
            pass

    async def block_loop(task):
        block(task)

    handler = bench.handler(block=block if slots == 1 else block_loop, now=lambda task: "ok")
    runtime = bench.worker(handler, {"g": slots})
    [used] = runtime._parts.slots

    def abandon_slowly(context, error):
        is_running = abandon(context, error)
        if is_running:
            go_on.set()
            bench.eventually(lambda: context not in used.contexts(), "it has come back")
        return is_running

    monkeypatch.setattr(deadlines, "abandon", abandon_slowly)
    stuck = bench.put("block", timeout=0.05)
    assert bench.finished(stuck).failure.type == "taskkit.errors.AttemptTimedOut"
    assert bench.finished(bench.put("now")).state is State.SUCCEEDED
    bench.eventually(lambda: not len(runtime._parts.ledger), "nothing is held")
    bench.eventually(lambda: not used.outstanding(), "and nothing counts as running")


def test_a_blocked_loop_is_given_up_too(bench, monkeypatch, caplog):
    monkeypatch.setattr(deadlines, "MARGIN", 0.1)
    blocked = threading.Event()

    async def block(task):
        blocked.wait(10)

    runtime = bench.worker(bench.handler(block=block), {"g": "async:2"})
    task_id = bench.put("block", timeout=0.05)
    assert bench.finished(task_id).state is State.FAILED
    assert runtime.wait() is ExitReason.STUCK
    assert "blocked.wait(10)" in caplog.text
    blocked.set()


def test_an_interruption_only_hits_the_attempt_it_is_meant_for():
    context = TaskContext(
        Claim(Task("g_1", "g", "n", b"", 0, 0), 1, 1, 0, 0), thread=threading.get_ident()
    )
    assert not interrupt(context, AttemptTimedOut)  # not open yet, or over already
    assert context.interrupted is AttemptTimedOut
    assert not abandon(context, AttemptCancelled)
    assert not context.abandoned
    absorb(context)


def test_an_interruption_that_is_absorbed_does_not_land():
    landed = []
    ready, sent = threading.Event(), threading.Event()
    contexts = []

    def work():
        context = TaskContext(
            Claim(Task("g_1", "g", "n", b"", 0, 0), 1, 1, 0, 0), thread=threading.get_ident()
        )
        contexts.append(context)
        try:
            context.open = True
            ready.set()
            sent.wait()  # the exception is pending when this returns, or lands at once
        except AttemptCancelled:
            landed.append("in the attempt")
        context.open = False
        absorb(context)
        for _ in range(1000):
            threading.get_ident()

    thread = threading.Thread(target=work)
    thread.start()
    ready.wait()
    assert interrupt(contexts[0], AttemptCancelled)
    assert interrupt(contexts[0], AttemptTimedOut)  # the first one counts
    sent.set()
    thread.join(5)
    assert landed == ["in the attempt"]
    assert contexts[0].interrupted is AttemptCancelled


AFTER_AN_INTERRUPTION = """
import sys, threading
from types import SimpleNamespace
from taskkit.worker.interrupt import absorb

absorb(SimpleNamespace(thread=threading.get_ident()))
calls = []
sys.setprofile(lambda frame, event, argument: calls.append(event))
(lambda: None)()
sys.setprofile(None)
print(calls[0])
"""


def test_profilers_work_after_an_interruption():
    # In a process of its own: where it fails it spins, and no timeout ends that.
    done = subprocess.run(
        [sys.executable, "-c", AFTER_AN_INTERRUPTION],
        capture_output=True,
        text=True,
        timeout=15,
        check=True,
    )
    assert done.stdout == "call\n"
