"""Async slots: coroutines on one loop, beside tasks that need a thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from taskkit.context import current_task
from taskkit.task import State


def test_coroutines_of_a_group_run_at_the_same_time_and_no_more_than_its_slots(bench):
    inside: list[str] = []
    most = 0
    go_on = threading.Event()

    async def wait(task):
        nonlocal most
        inside.append(task.id)
        most = max(most, len(inside))
        while not go_on.is_set():  # noqa: ASYNC110 - the test is in another thread
            await asyncio.sleep(0.005)
        inside.remove(task.id)
        return threading.current_thread().name

    bench.worker(bench.handler(wait=wait), {"g": "async:20"})
    ids = [bench.put("wait") for _ in range(30)]
    bench.eventually(lambda: len(inside) == 20, "all slots are taken")
    go_on.set()
    bench.in_state(State.SUCCEEDED, *ids)
    assert most == 20
    assert {bench.record(task_id).result for task_id in ids} == {b'"taskkit-loop"'}


def test_a_coroutine_in_a_thread_slot_runs_on_the_loop_while_the_thread_waits(bench):
    async def where(task):
        await asyncio.sleep(0)
        return [threading.current_thread().name, current_task().id]

    bench.worker(bench.handler(where=where), {"g": 2})
    task_id = bench.put("where")
    assert bench.finished(task_id).result.decode() == f'["taskkit-loop", "{task_id}"]'


def test_coroutines_do_not_see_each_others_task(bench):
    async def look(task):
        for _ in range(5):
            await asyncio.sleep(0)
            assert current_task().id == task.id
        return "own"

    bench.worker(bench.handler(look=look), {"g": "async:10"})
    bench.in_state(State.SUCCEEDED, *[bench.put("look") for _ in range(30)])


def test_a_task_that_is_not_async_gets_a_thread_and_counts_as_a_slot(bench):
    gate = bench.gate()
    ran = []

    async def quick(task):
        ran.append(task.id)
        return "quick"

    handler = bench.handler(block=gate, quick=quick)
    handler.is_async = lambda task: task.name == "quick"
    bench.worker(handler, {"g": "async:2"})
    blocked = [bench.put("block") for _ in range(2)]
    gate.entered(2)
    waiting = bench.put("quick")
    assert ran == []
    gate.open()
    bench.in_state(State.SUCCEEDED, *blocked, waiting)


def test_a_blocking_task_does_not_block_the_loop(bench):
    gate = bench.gate()

    async def quick(task):
        return "quick"

    handler = bench.handler(block=gate, quick=quick)
    handler.is_async = lambda task: task.name == "quick"
    bench.worker(handler, {"g": "async:3"})
    bench.put("block")
    gate.entered()
    for _ in range(5):
        bench.finished(bench.put("quick"))


def test_a_handler_whose_is_async_raises_fails_the_task_and_not_the_worker(bench):
    async def quick(task):
        return "quick"

    handler = bench.handler(quick=quick)
    handler.is_async = lambda task: {"bad": 1 / int(task.data)} and True
    bench.worker(handler, {"g": "async:1"})
    bad = bench.put("quick", data=b"0")
    good = bench.put("quick", data=b"1")
    assert bench.finished(good).state is State.SUCCEEDED
    assert bench.finished(bad).state.finished


def test_failures_and_cancellations_of_a_coroutine_itself(bench):
    async def fails(task):
        raise ValueError("nope")

    async def cancels_itself(task):
        raise asyncio.CancelledError

    bench.worker(bench.handler(fails=fails, cancels=cancels_itself), {"g": "async:2"})
    assert bench.finished(bench.put("fails")).failure.message == "nope"
    record = bench.finished(bench.put("cancels"))
    assert (record.state, record.failure.type) == (
        State.FAILED,
        "asyncio.exceptions.CancelledError",
    )


def test_stop_gives_running_coroutines_back(bench):
    started = threading.Event()

    async def wait(task):
        started.set()
        await asyncio.sleep(3600)

    runtime = bench.worker(bench.handler(wait=wait), {"g": "async:2"})
    task_id = bench.put("wait")
    assert started.wait(5)
    runtime.stop(0)
    assert runtime.join(5)
    record = bench.record(task_id)
    assert (record.state, record.attempt) == (State.QUEUED, 0)


@pytest.mark.parametrize("slots", [4, "async:4"])
@pytest.mark.parametrize("leaving", [SystemExit, KeyboardInterrupt])
def test_what_leaves_a_sub_task_of_one_coroutine_ends_no_other(bench, caplog, slots, leaving):
    gate = bench.gate()

    async def leave():
        raise leaving("from a sub-task")

    async def poison(task):
        await asyncio.gather(leave())

    async def wait(task):
        gate._entered.append(task.id)
        while not gate._open.is_set():  # noqa: ASYNC110 - the test is in another thread
            await asyncio.sleep(0.005)

    runtime = bench.worker(bench.handler(poison=poison, wait=wait), {"g": slots})
    neighbour = bench.put("wait")
    gate.entered()
    failure = bench.finished(bench.put("poison")).failure
    assert failure.type == leaving.__name__
    later = bench.put("wait")
    gate.entered(2)
    gate.open()
    bench.in_state(State.SUCCEEDED, neighbour, later)
    assert f"{leaving.__name__}('from a sub-task')" in caplog.text
    runtime.stop()
    assert runtime.join(60)


def test_a_coroutine_that_stops_the_loop_ends_nothing(bench):
    async def stop(task):
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0)
        return "went on"

    bench.worker(bench.handler(stop=stop), {"g": "async:2"})
    assert bench.finished(bench.put("stop")).result == b'"went on"'
    assert bench.finished(bench.put("stop")).result == b'"went on"'
