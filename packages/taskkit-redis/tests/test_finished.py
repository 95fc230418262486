"""Finished tasks: their short records, and the batches in which they are counted and purged."""

from __future__ import annotations

import pytest
from rediscase import claim, counts, ends, new_task, register, succeed

from taskkit.clock import SECOND, ManualClock
from taskkit.records import Outcome
from taskkit.task import NOW, State

DUES = [3_000_000, 1_000_000, 2_000_000]


@pytest.fixture
def done(backend):
    """Three tasks that one settle has finished, by their dues."""
    register(backend)
    backend.put([new_task(due=due) for due in DUES])
    claims = claim(backend)
    assert succeed(backend, claims) == [True] * 3
    return {one.task.due: one for one in claims}


def oldest(backend, state="succeeded"):
    [found] = [one for one in backend.count() if one.state == state]
    return found.count, found.oldest_due


def test_the_oldest_is_exact_whatever_has_left(backend, done):
    assert oldest(backend) == (3, 1_000_000)
    backend.delete([done[1_000_000].task.id])
    assert oldest(backend) == (2, 2_000_000)
    backend.delete([done[3_000_000].task.id])
    assert oldest(backend) == (1, 2_000_000)


def test_nothing_is_left_of_a_batch_that_all_have_left(backend, done, raw):
    backend.delete([one.task.id for one in done.values()])
    assert backend.count() == []
    assert raw.exists("{taskkit}:old", "{taskkit}:f:smail", "{taskkit}:finished") == 0


def test_queued_again_and_failed_again_it_is_counted_once(backend):
    register(backend)
    backend.put([new_task(due=due) for due in DUES])
    claims = claim(backend)
    backend.settle("w", ends(claims, Outcome.FAIL))
    assert oldest(backend, "failed") == (3, 1_000_000)
    [first] = [one for one in claims if one.task.due == 1_000_000]
    backend.requeue([first.task.id], 5_000_000)
    assert oldest(backend, "failed") == (2, 2_000_000)
    backend.settle("w", ends(claim(backend), Outcome.FAIL))
    assert oldest(backend, "failed") == (3, 2_000_000)
    assert backend.purge(100, states=[State.FAILED]) == 3
    assert backend.count() == []


@pytest.fixture
def much_later(opened, raw):
    """Let the server remove by itself what it would in this time; return a backend of then."""

    def pass_by(seconds):
        for key in raw.scan_iter("{taskkit}:t:*"):
            if 0 < raw.pttl(key) < seconds * 1000:
                raw.delete(key)
        return opened(clock=ManualClock((raw.time()[0] + seconds) * SECOND))

    return pass_by


@pytest.mark.parametrize("outcome", [Outcome.SUCCEED, Outcome.FAIL])
def test_queued_again_and_over_it_is_counted_once(backend, raw, much_later, outcome):
    """It lies in the batches of both its ends, and nobody came by before both were over."""
    register(backend)
    short, long = [new_task(ttl=600), new_task(ttl=100_000)]
    backend.put([short, long])
    backend.settle("w", ends(claim(backend), Outcome.FAIL))
    backend.requeue([short.id], NOW)
    backend.settle("w", ends(claim(backend), outcome))
    later = much_later(1_000)
    assert later.purge() == 1
    assert counts(backend) == {("mail", "failed"): 1}
    assert backend.get([short.id]) == {short.id: None}
    assert backend.purge(states=[State.FAILED]) == 1
    assert counts(backend) == {}
    assert raw.exists("{taskkit}:again") == 0


def test_nothing_is_remembered_of_a_requeued_task_that_is_deleted(backend, raw):
    register(backend)
    backend.put([task := new_task()])
    backend.settle("w", ends(claim(backend), Outcome.FAIL))
    backend.requeue([task.id], NOW)
    backend.delete([task.id])
    assert not raw.keys("*again*")


def test_a_batch_is_purged_in_pieces(backend, done):
    assert backend.purge(1, states=[State.SUCCEEDED]) == 1
    assert backend.purge(1, states=[State.FAILED]) == 0
    assert backend.purge(0, states=[State.SUCCEEDED]) == 0
    assert oldest(backend)[0] == 2
    assert backend.purge(10, states=[State.SUCCEEDED]) == 2
    assert backend.count() == []


def test_what_one_settle_finished_is_over_by_each_ttl(opened, clock):
    backend = opened(clock=clock)
    register(backend)
    backend.put([new_task(ttl=ttl) for ttl in (5, 10, 5, 10, 10)])
    succeed(backend, claim(backend))
    clock.advance(5)
    assert backend.purge(1) == 1
    assert backend.purge() == 1
    assert counts(backend) == {("mail", "succeeded"): 3}
    clock.advance(5)
    assert backend.purge() == 3
    assert counts(backend) == {}


def test_an_evicted_record_is_not_counted_when_it_is_missed(backend, done, raw):
    raw.delete("{taskkit}:t:" + done[1_000_000].task.id)
    assert oldest(backend) == (2, 2_000_000)


@pytest.mark.parametrize("size", [10, 5_000])
def test_a_first_success_is_told_in_full(backend, size):
    register(backend, "worker of söme length")
    backend.put([task := new_task(data=b"x" * size, labels={"a": 1})])
    [one] = claim(backend, worker_id="worker of söme length")
    running = backend.get([task.id])[task.id]
    assert (running.state, running.token, running.began, running.worker_id) == (
        *(State.RUNNING, one.token, one.began),
        "worker of söme length",
    )
    assert succeed(backend, [one], "worker of söme length") == [True]
    found = backend.get([task.id])[task.id]
    [attempt] = found.history
    assert (found.state, found.attempt, found.token, found.result) == (
        *(State.SUCCEEDED, 1, one.token),
        b"1",
    )
    assert (found.task.data, found.task.labels) == (b"x" * size, {"a": 1})
    assert (attempt.attempt, attempt.worker_id, attempt.outcome, attempt.failure) == (
        *(1, "worker of söme length", Outcome.SUCCEED),
        None,
    )
    assert found.began == attempt.began == one.began
    assert found.done == attempt.ended >= one.began
    assert succeed(backend, [one]) == [True]
    assert backend.settle("w", ends([one], Outcome.FAIL)) == [False]


def test_those_that_came_too_late_are_told_from_the_others(backend):
    register(backend)
    backend.put([new_task() for _ in range(3)])
    one, two, three = claim(backend)
    backend.delete([two.task.id])
    assert succeed(backend, [one, two, three, one]) == [True, False, True, True]
    assert counts(backend) == {("mail", "succeeded"): 2}


def test_a_task_that_is_to_be_cancelled_does_not_succeed(backend):
    register(backend)
    backend.put([new_task(), new_task()])
    one, two = claim(backend)
    backend.cancel([one.task.id])
    assert succeed(backend, [one, two]) == [True, True]
    assert counts(backend) == {("mail", "cancelled"): 1, ("mail", "succeeded"): 1}
