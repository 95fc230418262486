"""Tasks in a process of their own: what kills it kills nobody else."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from taskkit.records import Outcome
from taskkit.task import State
from taskkit.worker import deadlines


@pytest.fixture
def handler(monkeypatch):
    # By a name that a fresh interpreter finds too.
    folder = Path(__file__).parent
    monkeypatch.syspath_prepend(str(folder))
    name = "isolated_handler"
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module.Handler()


def test_an_isolated_task_runs_elsewhere_and_its_result_comes_back(bench, handler):
    bench.worker(handler)
    assert json.loads(bench.finished(bench.put("here")).result) == os.getpid()
    assert json.loads(bench.finished(bench.put("pid")).result) != os.getpid()


def test_the_same_rules_hold_in_a_child(bench, handler):
    bench.worker(handler, {"g": 3})
    failed, awaited = bench.put("fails"), bench.put("awaits")
    failure = bench.finished(failed).failure
    assert (failure.type, failure.message) == ("ValueError", "in the child")
    assert 'raise ValueError("in the child")' in failure.traceback
    assert json.loads(bench.finished(awaited).result) == awaited


@pytest.mark.parametrize("name", ["exits", "is_killed"])
def test_a_child_that_dies_is_a_loss_and_not_a_failure(bench, handler, name, caplog):
    handler.retry = 0.0  # would make an attempt of it
    bench.worker(handler, {"g": 2})
    poison = bench.put(name, max_lost=3)
    record = bench.finished(poison)
    assert (record.state, record.losses, record.task.retry_count) == (State.LOST, 3, 0)
    assert bench.outcomes(poison) == ["lost"] * 3
    assert "exit 7" in caplog.text if name == "exits" else "signal 9" in caplog.text
    assert json.loads(bench.finished(bench.put("here")).result) == os.getpid()


@pytest.fixture
def left(tmp_path, monkeypatch):
    """Where a child writes the pid of the process that it leaves."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "left"
    yield file
    if file.exists():
        os.kill(int(file.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("name", ["leaves_a_fork_and_is_killed", "leaves_a_program_and_is_killed"])
def test_the_death_of_a_child_is_seen_although_a_process_that_it_started_lives_on(
    bench, handler, left, name
):
    bench.worker(handler)
    assert bench.finished(bench.put(name, max_lost=1)).state is State.LOST
    os.kill(int(left.read_text()), 0)


def test_a_task_that_was_lost_once_is_run_in_a_child(bench, handler):
    task_id = bench.put("here")
    from taskkit.records import WorkerInfo

    bench.backend.register(WorkerInfo("dead", {"g": 1}), 60_000_000)
    assert bench.backend.claim("dead", {"g": 1}).claims
    bench.backend.retire("dead", lost=True)
    bench.worker(handler)
    assert json.loads(bench.finished(task_id).result) != os.getpid()


@pytest.mark.parametrize("name", ["sleeps", "dozes"])
def test_a_timeout_ends_even_a_system_call_in_a_child(bench, handler, name):
    bench.worker(handler)
    task_id = bench.put(name, timeout=1.0)
    record = bench.finished(task_id)
    assert record.failure.type == "taskkit.errors.AttemptTimedOut"
    assert record.losses == 0


def test_a_child_that_does_not_heed_its_timeout_is_killed(bench, handler, monkeypatch):
    monkeypatch.setattr(deadlines, "MARGIN", 0.3)
    bench.worker(handler)
    record = bench.finished(bench.put("stubborn", timeout=1.0))
    assert record.failure.type == "taskkit.errors.AttemptTimedOut"
    assert record.losses == 0


def child_of(bench, task_id):
    bench.eventually(lambda: bench.record(task_id).progress, "the child runs")
    return json.loads(bench.record(task_id).progress)["pid"]


def test_progress_that_is_too_large_is_refused_in_the_child(bench, handler):
    bench.worker(handler, max_data_bytes=1000)
    failure = bench.finished(bench.put("reports_too_much")).failure
    assert failure.type == "taskkit.errors.InvalidTask"
    assert 'current_task().progress(b"x" * 1001)' in failure.traceback


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_running_child_can_be_cancelled(bench, handler):
    bench.worker(handler)
    task_id = bench.put("reports")
    pid = child_of(bench, task_id)
    bench.backend.cancel([task_id])
    bench.in_state(State.CANCELLED, task_id)
    assert bench.outcomes(task_id) == [Outcome.CANCEL]
    bench.eventually(lambda: is_gone(pid), "the child is gone")


def test_at_the_end_of_the_grace_the_child_is_killed_and_the_task_given_back(bench, handler):
    runtime = bench.worker(handler)
    task_id = bench.put("reports")
    pid = child_of(bench, task_id)
    runtime.stop(0)
    assert runtime.join(5)
    record = bench.record(task_id)
    assert (record.state, record.attempt, record.losses) == (State.QUEUED, 0, 0)
    bench.eventually(lambda: is_gone(pid), "the child is gone")


def test_a_handler_that_cannot_be_sent_fails_what_asks_for_a_process(bench):
    here = bench.handler(work=lambda task: "ran")
    here.is_isolated = lambda task: task.name == "work"
    bench.worker(here)
    failure = bench.finished(bench.put("work")).failure
    assert failure.type == "taskkit.errors.InvalidSetting"
    assert "top level of a module" in failure.message
