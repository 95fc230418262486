"""What people want of workers: pause, stop; and what a worker does that the store gave up."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from taskkit.clock import SECOND, ManualClock
from taskkit.memory.backend import MemoryBackend
from taskkit.records import Heartbeat, Outcome
from taskkit.task import State
from taskkit.worker import pace
from taskkit.worker.runtime import ExitReason


@pytest.mark.parametrize("groups", [["g"], None])
def test_a_pause_reaches_the_worker_and_so_does_its_end(bench, groups):
    bench.worker(bench.handler(now=lambda task: None), {"g": 1, "h": 1})
    bench.finished(bench.put("now"))
    bench.backend.pause(groups)
    bench.eventually(lambda: not bench.claims("g"), "the worker heard of the pause")
    held = bench.put("now")
    if groups is not None:
        bench.finished(bench.put("now", "h"))
    assert bench.record(held).state is State.QUEUED
    bench.backend.resume(None)
    bench.finished(held)


def test_a_paused_subgroup_is_left_out(bench):
    bench.backend.pause(["mail.slow"])
    bench.worker(bench.handler(now=lambda task: None), {"mail": 1})
    held = bench.put("now", "mail.slow")
    bench.finished(bench.put("now", "mail.fast"))
    bench.finished(bench.put("now", "mail"))
    assert bench.record(held).state is State.QUEUED
    bench.backend.resume(["mail.slow"])
    bench.finished(held)


def test_stopping_all_groups_ends_the_worker(bench):
    gate = bench.gate()
    runtime = bench.worker(bench.handler(wait=gate), {"g": 1, "h": 1})
    task_id = bench.put("wait")
    gate.entered()
    bench.backend.stop(None)
    assert runtime.wait() is ExitReason.STOPPED
    gate.open()
    assert runtime.join(5)
    assert bench.record(task_id).state is State.SUCCEEDED


def test_stopping_one_group_leaves_the_others(bench):
    runtime = bench.worker(bench.handler(now=lambda task: None), {"g": 1, "h": 1})
    bench.finished(bench.put("now"))
    bench.backend.stop(["g"])
    bench.eventually(lambda: "g" in runtime._parts.claimer.excluding, "the stop was heard")
    held = bench.put("now")
    bench.finished(bench.put("now", "h"))
    assert bench.record(held).state is State.QUEUED
    bench.backend.stop(["h"])
    assert runtime.wait() is ExitReason.STOPPED


def test_a_worker_whose_lease_ran_out_drops_what_it_runs_and_registers_again(bench, caplog):
    clock = ManualClock()
    bench.backend = MemoryBackend(clock=clock)
    gate = bench.gate()
    told = []

    def work(task):
        try:
            return gate(task)
        except BaseException as error:
            told.append(type(error).__name__)
            raise

    runtime = bench.worker(bench.handler(work=work, now=lambda task: "ok"), {"g": 2})
    task_id = bench.put("work", max_lost=1, on_lost="keep")
    gate.entered()
    clock.advance(6.0)
    bench.backend.reclaim()
    bench.in_state(State.LOST, task_id)
    bench.eventually(lambda: told, "the task was told")
    assert told == ["AttemptCancelled"]
    bench.finished(bench.put("now"))
    assert [one.info.id for one in bench.backend.workers()] == [runtime.worker_id]
    assert bench.record(task_id).state is State.LOST
    assert "the lease had run out" in caplog.text


def test_nothing_is_started_once_the_lease_may_have_run_out(bench):
    runtime = bench.worker(bench.handler(now=lambda task: "ran"), heartbeat=2.0, lease=5.0)
    bench.finished(bench.put("now"))
    # As if this process had been frozen for longer than its lease.
    runtime._parts.ledger.lease_end = 0.0
    task_id = bench.put("now")
    bench.eventually(lambda: bench.record(task_id).token >= 2, "claimed, given back, claimed again")
    assert bench.record(task_id).state is not State.SUCCEEDED
    assert bench.record(task_id).history == ()


def test_a_slow_task_holds_nothing_back(bench, monkeypatch):
    gate = bench.gate()
    bench.worker(bench.handler(fast=lambda task: None, wait=gate), {"g": 1})
    for _ in range(300):
        bench.put("fast")
    slow = bench.put("wait")
    behind = [bench.put("fast") for _ in range(20)]
    gate.entered()
    # Another worker gets them although the first one had claimed some of them ahead.
    bench.worker(bench.handler(fast=lambda task: "by another"), {"g": 1})
    for task_id in behind:
        assert bench.finished(task_id).result == b'"by another"'
        assert bench.record(task_id).attempt == 1
    assert bench.record(slow).state is State.RUNNING


def test_what_was_claimed_ahead_is_given_back_at_once_on_stop(bench, monkeypatch):
    monkeypatch.setattr("taskkit.worker.claimer.OVERDUE", 3600.0)
    gate = bench.gate()
    runtime = bench.worker(bench.handler(fast=lambda task: None, wait=gate), {"g": 1})
    for _ in range(300):
        bench.put("fast")
    bench.put("wait")
    behind = [bench.put("fast") for _ in range(50)]
    gate.entered()
    runtime.stop(30)
    bench.in_state(State.QUEUED, *behind)
    assert {bench.record(task_id).attempt for task_id in behind} == {0}
    gate.open()
    assert runtime.join(5)


def test_a_claim_that_the_store_took_back_is_dropped(bench):
    clock = ManualClock()
    bench.backend = MemoryBackend(clock=clock)
    gate = bench.gate()
    bench.worker(bench.handler(wait=gate), {"g": 1}, heartbeat=0.02)
    task_id = bench.put("wait")
    gate.entered()
    assert bench.record(task_id).state is State.RUNNING
    bench.backend.delete([task_id])
    again = bench.put("wait")
    gate.entered(2)
    gate.open()
    assert bench.finished(again).state is State.SUCCEEDED


class LateAnswers:
    """A store whose answer to a settlement that took effect waits for the test.

    A heartbeat that names that claim beside a newer one is told that it is void, as by stores that
    know the task's newest claim alone.
    """

    def __init__(self, store):
        self._store = store
        self.go_on = threading.Event()
        self.void: list[set[str]] = []

    def __getattr__(self, name):
        return getattr(self._store, name)

    def settle(self, worker_id, settlements):
        answer = self._store.settle(worker_id, settlements)
        self.go_on.wait(60)
        return answer

    def heartbeat(self, worker_id, lease, held, progress):
        answer = self._store.heartbeat(worker_id, lease, held, progress)
        ids = [task_id for task_id, _ in held]
        self.void.append({task_id for task_id in ids if ids.count(task_id) > 1})
        return replace(answer, void=frozenset(self.void[-1]))


def test_of_a_task_that_is_claimed_again_only_the_old_claim_is_void(bench):
    bench.backend = store = LateAnswers(bench.backend)
    gate = bench.gate()
    handler = bench.handler(work=lambda task: gate(task) if task.retry_count else 1 / 0)
    handler.retry = lambda task, error: 0.0
    bench.worker(handler, {"g": 1}, heartbeat=0.02)
    task_id = bench.put("work")
    gate.entered()
    bench.eventually(lambda: {task_id} in store.void[:-1], "an answer was obeyed")
    store.go_on.set()
    gate.open()
    record = bench.finished(task_id)
    assert (record.state, record.attempt, gate.inside) == (State.SUCCEEDED, 2, 1)


def test_a_heartbeats_answer_means_the_claims_that_it_named(bench):
    gate = bench.gate()
    runtime = bench.worker(bench.handler(wait=gate), {"g": 3}, heartbeat=3600.0, lease=7200.0)
    ids = [bench.put("wait") for _ in range(3)]
    gate.entered(3)
    tokens = {task_id: bench.record(task_id).token for task_id in ids}
    new, once, twice = ids
    obey = runtime._parts.control.obey
    # An older claim of ``new`` was named, and it alone; both claims of ``twice``.
    held = [(new, 0), (once, tokens[once]), (twice, 0), (twice, tokens[twice])]
    obey(Heartbeat(True, void=frozenset([new, twice])), held)
    obey(Heartbeat(True, cancelled=frozenset([new])), held)
    assert [context.interrupted for context in runtime._parts.slots[0].contexts()] == [None] * 3
    obey(Heartbeat(True, cancelled=frozenset([once, twice])), held)
    bench.in_state(State.CANCELLED, once, twice)
    gate.open()
    assert bench.finished(new).state is State.SUCCEEDED


@pytest.mark.parametrize("slots", [4, "async:4"])
def test_the_next_of_long_tasks_is_claimed_just_before_a_slot_is_free(bench, slots):
    handler = bench.handler(wait=lambda task: time.sleep(0.1))
    runtime = bench.worker(handler, {"g": slots}, poll=30.0)
    claimed = bench.backend.claim
    ahead = []

    def claim(worker_id, wants, excluding=()):
        [slots] = runtime._parts.slots
        ahead.append(wants["g"] + slots.outstanding() - slots.count)
        time.sleep(0.02)  # the store that this is for
        return claimed(worker_id, wants, excluding)

    bench.backend.claim = claim
    for task_id in [bench.put("wait") for _ in range(40)]:
        bench.finished(task_id)
    assert max(ahead) >= 1
    assert max(ahead) <= 4


def test_retries_and_releases_wake_the_worker_itself(bench):
    handler = bench.handler(flaky=lambda task: "ok" if task.retry_count == 3 else 1 / 0)
    handler.retry = lambda task, error: 0.01
    bench.worker(handler, poll=30.0)
    task_id = bench.put("flaky")
    assert bench.finished(task_id).result == b'"ok"'
    assert bench.outcomes(task_id) == [Outcome.RETRY] * 3 + [Outcome.SUCCEED]
    assert pace.OVERDUE < 1 < SECOND
