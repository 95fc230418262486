"""Slots where the system lets the process start no more threads."""

from __future__ import annotations

import threading

import pytest

from taskkit.task import State


@pytest.fixture
def shortage(monkeypatch):
    """While it is set, no thread of a slot, nor the loop's, can be started."""
    lasts = threading.Event()
    real = threading.Thread.start

    def start(thread):
        if lasts.is_set() and thread.name.startswith(("taskkit-g-", "taskkit-loop")):
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    return lasts


@pytest.fixture(params=["threads", "threads of an async group", "the loop"])
def worker(request, bench):
    """Starts a worker with three slots; its tasks need threads of slots, or the loop's."""
    is_async = request.param == "the loop"

    async def work(task):
        return "done"

    handler = bench.handler(work=work if is_async else lambda task: "done")
    handler.is_async = lambda task: is_async
    slots = 3 if request.param == "threads" else "async:3"
    return lambda: bench.worker(handler, {"g": slots, "h": 1}, poll=0.05)


def test_what_finds_no_thread_is_given_back_and_runs_once_there_are_threads(
    bench, shortage, worker, caplog
):
    shortage.set()
    runtime = worker()
    ids = [bench.put("work") for _ in range(6)]
    bench.eventually(lambda: all(bench.record(one).token for one in ids[:3]), "claimed")
    first = {one: bench.record(one).token for one in ids}
    bench.eventually(
        lambda: any(0 < first[one] < bench.record(one).token for one in ids),
        "given back and claimed again",
    )
    assert caplog.text.count("can't start new thread") >= 1
    shortage.clear()
    bench.in_state(State.SUCCEEDED, *ids)
    assert {bench.record(one).attempt for one in ids} == {1}
    bench.eventually(lambda: not len(runtime._parts.ledger), "nothing is held")
    assert runtime._parts.slots[0].outstanding() == 0


def test_one_thread_does_the_work_where_no_other_can_be_started(bench, shortage):
    bench.worker(bench.handler(work=lambda task: threading.current_thread().name), {"g": 4})
    thread = bench.finished(bench.put("work")).result
    shortage.set()
    for one in [bench.put("work") for _ in range(20)]:
        assert bench.finished(one).result == thread


def test_a_worker_without_a_single_thread_ends_when_asked(bench, shortage, worker):
    shortage.set()
    runtime = worker()
    ids = [bench.put("work") for _ in range(3)]
    bench.eventually(lambda: any(bench.record(one).token for one in ids), "claimed")
    runtime.stop()
    assert runtime.join(60)
    assert [bench.record(one).attempt for one in ids] == [0, 0, 0]
    assert {bench.record(one).state for one in ids} == {State.QUEUED}
