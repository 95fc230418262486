"""A retry: the same task again, later."""

import pytest

from taskkit.clock import SECOND
from taskkit.records import Outcome
from taskkit.task import After, Failure, State


def test_a_retry_leads_from_running_to_queued_in_one_step(store):
    """RTY-01."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    assert store.settle(claim, Outcome.RETRY)
    assert store.counts() == {("mail", State.QUEUED): 1}
    record = store.get(task_id)
    assert record.worker_id is None
    assert store.backend.workers()[0].running == 0


def test_a_retry_keeps_everything_but_due_and_counts_itself(store):
    """RTY-02."""
    store.worker()
    task_id = store.add(
        data=b"\x00\xff", priority=3, ttl=7.5, labels={"a": 1}, scheduled=store.at(-1), timeout=3.0
    )
    before = store.get(task_id).task
    store.move_to(5)
    store.settle(store.claim_one(), Outcome.RETRY, due=store.at(8))
    after = store.get(task_id).task
    assert (after.due, after.retry_count) == (store.at(8), 1)
    names = [name for name in type(before).__slots__ if name not in ("due", "retry_count")]
    assert [getattr(after, name) for name in names] == [getattr(before, name) for name in names]
    store.move_to(8)
    store.settle(store.claim_one(), Outcome.RETRY)
    assert store.get(task_id).task.retry_count == 2


def test_a_retry_without_a_due_leaves_it_unchanged(store):
    store.worker()
    task_id = store.add(due=store.at(-4))
    store.settle(store.claim_one(), Outcome.RETRY, due=None)
    assert store.get(task_id).task.due == store.at(-4)


def test_a_retry_has_no_outcome_yet(store):
    """RTY-03."""
    store.worker()
    task_id = store.add()
    store.settle(store.claim_one(), Outcome.RETRY)
    record = store.get(task_id)
    assert (record.result, record.failure, record.done) == (None, None, None)


def test_a_retry_is_claimable_from_its_due_on(store):
    """RTY-04."""
    store.worker()
    task_id = store.add()
    store.settle(store.claim_one(), Outcome.RETRY, due=After(5 * SECOND))
    assert store.state(task_id) is State.WAITING
    assert store.next_due() == store.at(5)
    store.clock.set(store.at(5) - 1)
    assert store.claim() == []
    store.move_to(5)
    assert store.claimed() == [task_id]


@pytest.mark.parametrize("due", [After(0), After(-5 * SECOND)])
def test_a_retry_now_or_in_the_past_is_claimable_at_once(store, due):
    """RTY-05."""
    store.worker()
    task_id = store.add()
    store.settle(store.claim_one(), Outcome.RETRY, due=due)
    assert store.get(task_id).task.due == store.clock.now() + due.delay
    assert store.claimed() == [task_id]


def test_a_retry_sent_twice_queues_one_copy(store):
    """RTY-06: the second is a repetition and counts nothing again."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    store.settle(claim, Outcome.RETRY, due=store.at(5))
    store.settle(claim, Outcome.RETRY, due=store.at(99))
    record = store.get(task_id)
    assert (record.task.retry_count, record.task.due) == (1, store.at(5))
    assert len(record.history) == 1
    assert sum(store.counts().values()) == 1


@pytest.mark.parametrize("other", [Outcome.SUCCEED, Outcome.FAIL, Outcome.RELEASE, Outcome.DISCARD])
def test_another_outcome_under_a_token_that_was_used_is_refused(store, other):
    """RTY-06, RES-04."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    store.settle(claim, Outcome.RETRY)
    before = store.get(task_id)
    assert not store.settle(claim, other)
    assert store.get(task_id) == before


def test_errors_of_earlier_attempts_are_kept_in_order(store):
    """RTY-08."""
    store.worker()
    task_id = store.add()
    for number in range(3):
        store.settle(store.claim_one(), Outcome.RETRY, failure=Failure("E", str(number)))
    store.settle(store.claim_one())
    record = store.get(task_id)
    assert [a.failure and a.failure.message for a in record.history] == ["0", "1", "2", None]
    assert record.attempt == 4
