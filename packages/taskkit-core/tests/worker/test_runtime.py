"""A whole worker in this process: tasks in, results out, and a good end."""

from __future__ import annotations

import logging
import threading
from contextvars import ContextVar

import pytest

from taskkit.clock import SECOND
from taskkit.context import current_task
from taskkit.errors import DiscardTask, RetryTask
from taskkit.hooks import Hooks
from taskkit.ids import new_id
from taskkit.plugins import hookimpl
from taskkit.records import Outcome
from taskkit.task import After, NewTask, State
from taskkit.worker.logcontext import TaskFilter
from taskkit.worker.runtime import ExitReason


def test_results_are_stored(bench):
    bench.worker(bench.handler(double=lambda task: 2 * int(task.data)))
    ids = [bench.put("double", data=str(n).encode()) for n in range(50)]
    assert [int(bench.finished(task_id).result) for task_id in ids] == [2 * n for n in range(50)]


def test_every_ending(bench):
    handler = bench.handler(
        fails=lambda task: 1 / 0,
        unencodable=lambda task: object(),
        retried=lambda task: task.retry_count if task.retry_count else 1 / 0,
        later=lambda task: (_ for _ in ()).throw(RetryTask(due=3600)),
        gone=lambda task: (_ for _ in ()).throw(DiscardTask()),
    )
    handler.retry = lambda task, error: 0.0 if task.name == "retried" else None
    ids = {name: bench.put(name) for name in [*handler.functions, "unknown"]}
    bench.worker(handler)
    assert bench.finished(ids["fails"]).failure.type == "ZeroDivisionError"
    assert "cannot be stored" in bench.finished(ids["unencodable"]).failure.message
    assert "no function is called" in bench.finished(ids["unknown"]).failure.message
    assert bench.finished(ids["retried"]).result == b"1"
    assert bench.outcomes(ids["retried"]) == [Outcome.RETRY, Outcome.SUCCEED]
    bench.in_state(State.WAITING, ids["later"])
    bench.eventually(lambda: bench.backend.get([ids["gone"]])[ids["gone"]] is None, "discarded")


def test_an_unknown_task_can_wait_for_a_newer_worker(bench):
    task_id = bench.put("unknown")
    bench.worker(bench.handler(), unknown="park")
    bench.in_state(State.WAITING, task_id)
    assert bench.record(task_id).task.retry_count == 0


def test_a_task_starts_when_it_is_due(bench):
    bench.worker(bench.handler(now=lambda task: None), poll=30.0)
    task_id = bench.put("now", due=After(SECOND // 10))
    record = bench.finished(task_id)
    assert 0 <= record.began - record.task.due < SECOND


def test_an_idle_worker_is_woken_by_a_put(bench):
    runtime = bench.worker(bench.handler(now=lambda task: None), poll=30.0)
    for _ in range(3):
        bench.finished(bench.put("now"))
    assert runtime.worker_id == bench.backend.workers()[0].info.id


def test_tasks_of_a_group_run_on_all_its_slots_and_on_no_more(bench):
    gate = bench.gate()
    bench.worker(bench.handler(wait=gate), {"g": 3})
    ids = [bench.put("wait") for _ in range(5)]
    gate.entered(3)
    assert gate.inside == 3
    gate.open()
    bench.in_state(State.SUCCEEDED, *ids)


def test_a_full_group_does_not_hold_back_another(bench):
    gate = bench.gate()
    bench.worker(bench.handler(wait=gate, now=lambda task: None), {"a": 1, "b": 1}, poll=30.0)
    first = bench.put("wait", "a")
    gate.entered()
    second = bench.put("wait", "a")
    for _ in range(3):
        bench.finished(bench.put("now", "b"))
    assert bench.record(second).state is State.QUEUED
    gate.open()
    bench.in_state(State.SUCCEEDED, first, second)


def test_a_worker_of_a_group_serves_its_subgroups(bench):
    bench.worker(bench.handler(now=lambda task: None), {"mail": 1, "mail.acme": 1})
    ids = [bench.put("now", group) for group in ("mail", "mail.acme", "mail.b", "mail.acme.x")]
    bench.in_state(State.SUCCEEDED, *ids)
    other = bench.put("now", "mailing")
    bench.finished(bench.put("now", "mail"))
    assert bench.record(other).state is State.QUEUED


def test_context_variables_do_not_leak_between_tasks(bench):
    seen: ContextVar[str] = ContextVar("seen", default="nothing")

    def look(task):
        before = seen.get()
        seen.set(task.id)
        return [before, current_task().id]

    bench.worker(bench.handler(look=look), {"g": 1})
    for task_id in [bench.put("look") for _ in range(3)]:
        assert bench.finished(task_id).result.decode() == f'["nothing", "{task_id}"]'


def test_log_lines_can_tell_their_task(bench):
    lines = []

    class Collecting(logging.Handler):
        def emit(self, record):
            lines.append((record.task_id, record.task_name, record.group, record.attempt))

    logger = logging.getLogger("a.users.own")
    handler = Collecting()
    handler.addFilter(TaskFilter())
    logger.addHandler(handler)
    bench.worker(bench.handler(log=lambda task: logger.warning("hello")))
    task_id = bench.put("log")
    bench.finished(task_id)
    logger.warning("outside")
    logger.removeHandler(handler)
    assert lines == [(task_id, "log", "g", 1), ("", "", "", 0)]


def test_progress_reaches_the_store(bench):
    gate = bench.gate()

    def work(task):
        current_task().progress({"half": True})
        return gate(task)

    bench.worker(bench.handler(work=work))
    task_id = bench.put("work")
    bench.eventually(lambda: bench.record(task_id).progress == b'{"half":true}', "progress")


@pytest.mark.parametrize("slots", [2, "async:2"])
def test_progress_that_is_too_large_is_refused_in_the_task(bench, slots):
    async def work(task):
        current_task().progress(b"x" * 1000)
        current_task().progress("x" * 1000)  # JSON has quotes

    bench.worker(bench.handler(work=work), {"g": slots}, max_data_bytes=1000)
    failure = bench.finished(bench.put("work")).failure
    assert failure.type == "taskkit.errors.InvalidTask"
    assert failure.message.startswith("progress: expected at most 1000 bytes, found 1002; ")


def test_an_attempt_does_not_begin_with_the_progress_of_the_one_before(bench):
    gate = bench.gate()
    beats = []
    beat = bench.backend.heartbeat
    bench.backend.heartbeat = lambda *arguments: (beat(*arguments), beats.append(arguments))[0]

    def work(task):
        if task.retry_count:
            return gate(task)
        current_task().progress(b"99 %")
        raise ValueError("the first attempt")

    handler = bench.handler(work=work)
    handler.retry = lambda task, error: 0.0
    runtime = bench.worker(handler, heartbeat=600.0, lease=1800.0)
    bench.eventually(lambda: beats, "the first heartbeat")
    task_id = bench.put("work")
    gate.entered()
    runtime._parts.pulse.hasten()
    bench.eventually(lambda: beats[1:], "another heartbeat")
    assert bench.record(task_id).progress is None


def test_hooks_hear_of_workers(bench):
    heard = []

    class Plugin:
        @hookimpl
        def taskkit_worker_start(self, info):
            heard.append(("start", info.id))

        @hookimpl
        async def taskkit_worker_stop(self, info):
            heard.append(("stop", info.id))

    runtime = bench.worker(bench.handler(), hooks=Hooks([Plugin()]))
    runtime.stop()
    assert runtime.join(5)
    assert heard == [("start", runtime.worker_id), ("stop", runtime.worker_id)]


# ---- the end


def test_stop_lets_running_tasks_finish_and_gives_back_the_rest(bench):
    gate = bench.gate()
    runtime = bench.worker(bench.handler(wait=gate), {"g": 2})
    running = [bench.put("wait") for _ in range(2)]
    gate.entered(2)
    waiting = bench.put("wait")
    runtime.stop(grace=30)
    assert runtime.wait() is ExitReason.ASKED
    assert not runtime.join(0.05)
    gate.open()
    assert runtime.join(5)
    bench.in_state(State.SUCCEEDED, *running)
    record = bench.record(waiting)
    assert (record.state, record.attempt) == (State.QUEUED, 0)
    assert bench.backend.workers() == []


@pytest.mark.parametrize("stops", [[0.0], [30.0, 30.0]])
def test_at_the_end_of_the_grace_what_runs_is_given_back(bench, stops):
    gate = bench.gate()
    ends = []

    def work(task):
        try:
            return gate(task)
        except BaseException as error:
            ends.append((type(error).__name__, current_task().cancelled))
            raise

    runtime = bench.worker(bench.handler(work=work))
    task_id = bench.put("work")
    gate.entered()
    for grace in stops:
        runtime.stop(grace)
    assert runtime.join(5)
    record = bench.record(task_id)
    assert (record.state, record.attempt, record.losses) == (State.QUEUED, 0, 0)
    assert record.history == ()
    bench.eventually(lambda: ends, "the task was told")
    assert ends == [("AttemptCancelled", True)]


def test_what_a_task_does_after_it_was_given_back_counts_for_nothing(bench):
    release, done = threading.Event(), threading.Event()

    def stubborn(task):
        try:
            while True:
                release.wait(0.005)
        except BaseException:
            release.wait(5)
            done.set()
            return "too late"

    entered = bench.gate()
    entered.open()

    def work(task):
        entered(task)
        return stubborn(task)

    runtime = bench.worker(bench.handler(work=work))
    task_id = bench.put("work")
    entered.entered()
    runtime.stop(0)
    assert runtime.join(5)
    release.set()
    assert done.wait(5)
    assert bench.record(task_id).state is State.QUEUED


def test_a_worker_that_never_claimed_ends_at_once(bench):
    runtime = bench.worker(bench.handler(), poll=60.0)
    runtime.stop()
    assert runtime.join(1.0)


def test_drain_ends_when_nothing_due_is_left(bench):
    later = bench.put("now", due=After(3600 * SECOND))
    ids = [bench.put("now") for _ in range(20)]
    runtime = bench.worker(bench.handler(now=lambda task: None), drain=True)
    assert runtime.wait() is ExitReason.DRAINED
    assert runtime.join(5)
    bench.in_state(State.SUCCEEDED, *ids)
    assert bench.record(later).state is State.WAITING


def test_drain_waits_for_tasks_that_others_run(bench):
    gate = bench.gate()
    bench.worker(bench.handler(wait=gate))
    first = bench.put("wait")
    gate.entered()
    second = bench.put("after", "h")
    draining = bench.worker(bench.handler(after=lambda task: None), {"h": 1, "g": 1}, drain=True)
    bench.finished(second)
    assert not draining.join(0.2)
    gate.open()
    assert draining.wait() is ExitReason.DRAINED
    assert bench.record(first).state is State.SUCCEEDED


def test_a_worker_asks_to_be_recycled_after_its_number_of_tasks(bench):
    runtime = bench.worker(bench.handler(now=lambda task: None), max_tasks=10)
    for _ in range(12):
        bench.put("now")
    assert runtime.wait() is ExitReason.RECYCLE
    assert runtime.join(5)


@pytest.mark.parametrize("limit", [{"max_age": 0.05}, {"max_rss": 1}])
def test_a_worker_asks_to_be_recycled_for_age_and_memory(bench, limit):
    gate = bench.gate()
    task_id = bench.put("wait")
    runtime = bench.worker(bench.handler(wait=gate), **{"max_age": 0.5, **limit})
    assert runtime.wait() is ExitReason.RECYCLE
    gate.open()
    assert runtime.join(5)
    assert bench.record(task_id).state in (State.SUCCEEDED, State.QUEUED)


def test_many_tasks_over_many_threads_each_once(bench):
    runs: list[str] = []
    ids = [new_id("g") for _ in range(3000)]
    bench.backend.put([NewTask(id=one, group="g", name="note", data=b"") for one in ids])
    runtime = bench.worker(
        bench.handler(note=lambda task: runs.append(task.id)), {"g": 16}, drain=True
    )
    assert runtime.wait() is ExitReason.DRAINED
    assert runtime.join(5)
    assert sorted(runs) == sorted(ids)
    assert {(one.state, one.count) for one in bench.backend.count()} == {(State.SUCCEEDED, 3000)}
