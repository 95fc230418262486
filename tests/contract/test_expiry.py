"""Tasks that nobody wants any more after an instant."""

import pytest

from taskkit.clock import SECOND
from taskkit.records import Outcome
from taskkit.task import EXPIRED, After, State


def test_a_task_is_claimable_until_just_before_it_expires(store):
    """EXP-1."""
    store.worker()
    task_id = store.add(expires=store.at(10))
    store.clock.set(store.at(10) - 1)
    assert store.claimed() == [task_id]


def test_a_task_that_has_expired_is_cancelled_by_the_claim_that_meets_it(store):
    """EXP-1."""
    store.worker()
    task_id = store.add(expires=After(10 * SECOND), priority=1)
    next_id = store.add()
    store.move_to(10)
    assert store.claimed() == [next_id]
    assert store.claim() == []
    record = store.get(task_id)
    assert (record.state, record.failure.type) == (State.CANCELLED, EXPIRED)
    assert record.attempt == 0
    assert record.done is not None


@pytest.mark.parametrize("due", [-1, 5, 100])
def test_purge_sweeps_expired_tasks_waiting_ones_too(store, due):
    """EXP-1."""
    task_id = store.add(due=store.at(due), expires=store.at(10))
    store.move_to(10)
    store.backend.purge()
    record = store.get(task_id)
    assert (record.state, record.failure.type) == (State.CANCELLED, EXPIRED)
    store.worker()
    store.move_to(200)
    assert store.claim() == []


def test_purge_sweeps_expired_tasks_that_are_blocked(store):
    """EXP-1, LIM-2."""
    store.worker()
    store.add(lock_key="k")
    store.claim_one()
    task_id = store.add(lock_key="k", expires=store.at(10))
    assert store.claim() == []
    store.move_to(10)
    store.backend.purge()
    assert store.get(task_id).failure.type == EXPIRED


def test_a_running_task_does_not_expire(store):
    """EXP-1: it was claimed in time."""
    store.worker()
    task_id = store.add(expires=store.at(10))
    claim = store.claim_one()
    store.move_to(20)
    store.backend.purge()
    assert store.state(task_id) is State.RUNNING
    assert store.settle(claim)
    assert store.state(task_id) is State.SUCCEEDED


def test_an_expired_task_frees_its_unique_key(store):
    """EXP-1, UNQ-4."""
    store.add(unique_key="k", expires=store.at(10))
    store.move_to(10)
    store.backend.purge()
    assert store.put(store.task(unique_key="k")) == ["put"]


def test_a_requeued_expired_task_does_not_expire_again(store):
    """EXP-1, QRY-3."""
    store.worker()
    task_id = store.add(expires=store.at(10))
    store.move_to(10)
    store.backend.purge()
    store.backend.requeue([task_id], store.at(10))
    store.move_to(500)
    assert store.claimed() == [task_id]


def test_an_expired_task_is_kept_for_its_ttl(store):
    """EXP-1, RES-06."""
    task_id = store.add(expires=store.at(10), ttl=5.0)
    store.move_to(10)
    store.backend.purge()
    assert store.knows(task_id)
    store.move_to(15)
    store.backend.purge()
    assert not store.knows(task_id)


def test_a_retry_that_is_claimed_before_it_expires_runs(store):
    """EXP-1."""
    store.worker()
    task_id = store.add(expires=store.at(10))
    store.settle(store.claim_one(), Outcome.RETRY, due=store.at(5))
    store.move_to(5)
    assert store.claimed() == [task_id]
