"""What becomes of a task whose worker died with it."""

import pytest

from taskkit.records import Answered, Outcome
from taskkit.task import CANCELLED_BY_REQUEST, WORKER_DIED, State


def die(store, way="reclaim", task_id=None):
    """Let a worker die with the one task that is due."""
    store.worker("dying", lease=10)
    claim = store.claim_one(worker="dying")
    if way == "settled":
        assert store.settle(claim, Outcome.LOSE, worker="dying")
        store.backend.retire("dying")
    elif way == "retired":
        assert store.backend.retire("dying", lost=True) == 1
    else:
        store.clock.advance(10)
        assert store.backend.reclaim().tasks == 1
    return claim


WAYS = pytest.mark.parametrize("way", ["reclaim", "retired", "settled"])


@WAYS
def test_a_task_is_queued_again_until_it_was_lost_max_lost_times(store, way):
    """LST-1: three by default."""
    task_id = store.add(due=store.at(-1))
    for losses in (1, 2):
        die(store, way)
        record = store.get(task_id)
        assert (record.state, record.losses, record.attempt) == (State.QUEUED, losses, losses)
        assert record.task.due == store.at(-1)
    die(store, way)
    record = store.get(task_id)
    assert (record.state, record.losses) == (State.LOST, 3)
    assert record.failure.type == WORKER_DIED
    assert record.done == store.clock.now()
    assert record.result is None


@pytest.mark.parametrize("max_lost", [1, 2, 5])
def test_max_lost_is_the_tasks_own(store, max_lost):
    """LST-1."""
    task_id = store.add(max_lost=max_lost)
    for _ in range(max_lost):
        assert store.state(task_id) is State.QUEUED
        die(store)
    assert store.state(task_id) is State.LOST


@WAYS
@pytest.mark.parametrize(("on_lost", "state"), [("keep", State.LOST), ("fail", State.FAILED)])
def test_a_task_decides_what_a_death_means(store, way, on_lost, state):
    """LST-2."""
    task_id = store.add(on_lost=on_lost)
    die(store, way)
    record = store.get(task_id)
    assert (record.state, record.losses, record.attempt) == (state, 1, 1)
    assert record.failure.type == WORKER_DIED
    assert record.done == store.clock.now()
    store.worker()
    assert store.claim(5) == []


def test_the_next_claim_tells_how_often_the_task_was_lost(store):
    """LST-5: so that a worker can run it apart."""
    store.worker()
    store.add()
    die(store)
    assert store.claim_one().losses == 1


def test_a_lost_task_can_be_requeued_and_starts_counting_anew(store):
    """LST-3."""
    store.worker()
    task_id = store.add(on_lost="keep")
    die(store)
    assert store.backend.requeue([task_id], store.at(0)) == {task_id: Answered.DONE}
    record = store.get(task_id)
    assert (record.state, record.losses, record.failure) == (State.QUEUED, 0, None)
    claim = store.claim_one()
    assert (claim.losses, claim.attempt) == (0, 2)


def test_a_lost_task_can_be_deleted(store):
    """LST-3."""
    task_id = store.add(on_lost="keep")
    die(store)
    assert store.backend.delete([task_id]) == {task_id: Answered.DONE}
    assert not store.knows(task_id)


def test_a_lost_attempt_is_in_the_history(store):
    """HIS-1."""
    task_id = store.add()
    claim = die(store)
    [attempt] = store.get(task_id).history
    assert (attempt.attempt, attempt.outcome, attempt.worker_id) == (1, "lost", "dying")
    assert (attempt.began, attempt.ended) == (claim.began, store.clock.now())
    assert attempt.failure.type == WORKER_DIED


@pytest.mark.parametrize("way", ["release", "retire"])
def test_giving_back_counts_neither_attempt_nor_loss(store, way):
    """LST-4."""
    store.worker()
    task_id = store.add()
    for _ in range(5):
        store.worker()
        claim = store.claim_one()
        assert (claim.attempt, claim.losses) == (1, 0)
        if way == "release":
            store.settle(claim, Outcome.RELEASE)
        else:
            store.backend.retire("w")
    record = store.get(task_id)
    assert (record.state, record.attempt, record.losses) == (State.QUEUED, 0, 0)
    assert record.task.retry_count == 0
    assert record.history == ()


def test_a_release_may_name_a_later_due(store):
    """LST-4."""
    store.worker()
    task_id = store.add()
    store.settle(store.claim_one(), Outcome.RELEASE, due=store.at(15))
    assert store.state(task_id) is State.WAITING
    assert store.next_due() == store.at(15)


@WAYS
def test_a_task_that_was_to_be_cancelled_and_lost_its_worker_is_cancelled(store, way):
    """CTL-4."""
    store.worker("dying", lease=10)
    task_id = store.add()
    claim = store.claim_one(worker="dying")
    assert store.backend.cancel([task_id]) == {task_id: Answered.REQUESTED}
    if way == "settled":
        store.settle(claim, Outcome.LOSE)
    elif way == "retired":
        store.backend.retire("dying", lost=True)
    else:
        store.move_to(10)
        store.backend.reclaim()
    record = store.get(task_id)
    assert record.state is State.CANCELLED
    assert record.failure.type == CANCELLED_BY_REQUEST


def test_a_retry_does_not_forget_losses(store):
    """LST-1: what kills its worker every second time is lost in the end."""
    store.worker()
    task_id = store.add(max_lost=2)
    die(store)
    store.settle(store.claim_one(), Outcome.RETRY)
    assert store.get(task_id).losses == 1
    die(store)
    assert store.state(task_id) is State.LOST
