"""At most one task for a unique key."""

import pytest

from taskkit.records import Answered, Outcome
from taskkit.task import SUPERSEDED, State


def test_a_second_put_with_the_key_changes_nothing_and_names_the_first(store):
    """UNQ-1, UNQ-2."""
    first = store.add(unique_key="k")
    before = store.get(first)
    second = store.task(unique_key="k", data=b"other", priority=9)
    [result] = store.backend.put([second])
    assert (result.id, result.status) == (first, "duplicate")
    assert store.get(first) == before
    assert not store.knows(second.id)


def test_a_waiting_task_holds_its_key(store):
    """UNQ-1."""
    store.add(unique_key="k", due=store.at(100))
    assert store.put(store.task(unique_key="k")) == ["duplicate"]


def test_racing_puts_with_one_key_leave_one_task(store, race):
    """UNQ-1."""
    tasks = [store.task(unique_key="k") for _ in range(8)]
    answers = race([lambda task=task: store.backend.put([task])[0] for task in tasks])
    assert sorted(answer.status for answer in answers) == ["duplicate"] * 7 + ["put"]
    assert len({answer.id for answer in answers}) == 1
    assert sum(store.counts().values()) == 1


def test_the_first_of_two_equal_keys_in_one_put_wins(store):
    """UNQ-1, BLK-04."""
    first, second = store.task(unique_key="k"), store.task(unique_key="k")
    results = store.backend.put([first, second])
    assert [(r.id, r.status) for r in results] == [(first.id, "put"), (first.id, "duplicate")]


def test_keys_are_per_group(store):
    """UNQ-6: subgroups are groups of their own."""
    tasks = [store.task(group, unique_key="k") for group in ("mail", "mail.a", "other")]
    assert store.put(*tasks) == ["put", "put", "put"]


@pytest.mark.parametrize(
    "pair", [("k", "K"), ("k", "k "), ("é", "e\u0301"), ("a%", "ab"), ("1", "01")]
)
def test_keys_that_resemble_each_other_are_different(store, pair):
    """UNQ-6, VAL-06."""
    assert store.put(*[store.task(unique_key=key) for key in pair]) == ["put", "put"]


def test_a_claim_frees_the_key(store):
    """UNQ-4."""
    store.worker()
    store.add(unique_key="k")
    claim = store.claim_one()
    second = store.task(unique_key="k")
    assert store.put(second) == ["put"]
    assert store.settle(claim)
    assert store.put(store.task(unique_key="k")) == ["duplicate"]
    assert store.claimed() == [second.id]


@pytest.mark.parametrize("end", [Outcome.SUCCEED, Outcome.FAIL, Outcome.DISCARD, Outcome.CANCEL])
def test_an_unfinished_task_holds_its_key_until_it_is_finished(store, end):
    """UNQ-3, UNQ-4."""
    store.worker()
    first = store.add(unique_key="k", unique_scope="unfinished")
    claim = store.claim_one()
    [answer] = store.backend.put([store.task(unique_key="k", unique_scope="unfinished")])
    assert (answer.id, answer.status) == (first, "duplicate")
    store.settle(claim, end)
    assert store.put(store.task(unique_key="k", unique_scope="unfinished")) == ["put"]


@pytest.mark.parametrize("end", [Outcome.RETRY, Outcome.RELEASE, Outcome.LOSE])
def test_an_unfinished_task_that_returns_to_the_queue_keeps_its_key(store, end):
    """UNQ-3, UNQ-5."""
    store.worker()
    first = store.add(unique_key="k", unique_scope="unfinished")
    assert store.settle(store.claim_one(), end)
    assert store.state(first) is State.QUEUED
    assert store.put(store.task(unique_key="k", unique_scope="unfinished")) == ["duplicate"]


@pytest.mark.parametrize("end", [Outcome.RETRY, Outcome.RELEASE, Outcome.LOSE])
def test_a_task_that_returns_and_finds_its_key_taken_is_superseded(store, end):
    """UNQ-5: one task for the key, and it is told which."""
    store.worker()
    first = store.add(unique_key="k")
    claim = store.claim_one()
    second = store.add(unique_key="k")
    assert store.settle(claim, end)
    record = store.get(first)
    assert record.state is State.CANCELLED
    assert record.failure.type == SUPERSEDED
    assert second in record.failure.message
    assert record.done == store.clock.now()
    assert store.claimed(5) == [second]


@pytest.mark.parametrize("way", ["retire", "retire lost", "reclaim", "stray"])
def test_a_task_that_comes_back_from_a_worker_and_finds_its_key_taken_is_superseded(store, way):
    """UNQ-5."""
    store.worker(lease=100)
    first = store.add(unique_key="k")
    store.claim_one()
    store.move_to(1)
    second = store.add(unique_key="k")
    if way == "reclaim":
        store.move_to(100)
        store.backend.reclaim()
    elif way == "stray":
        store.beat()
        store.move_to(2)
        store.beat()
    else:
        store.backend.retire("w", lost=way.endswith("lost"))
    assert store.state(first) is State.CANCELLED
    assert store.get(first).failure.type == SUPERSEDED
    assert store.state(second) is State.QUEUED


def test_a_task_that_returns_while_its_key_is_free_takes_it_again(store):
    """UNQ-5."""
    store.worker()
    first = store.add(unique_key="k")
    store.settle(store.claim_one(), Outcome.RETRY)
    [answer] = store.backend.put([store.task(unique_key="k")])
    assert (answer.id, answer.status) == (first, "duplicate")


def test_cancelling_or_deleting_a_queued_task_frees_its_key(store):
    """UNQ-4."""
    first = store.add(unique_key="k")
    store.backend.cancel([first])
    second = store.add(unique_key="k")
    store.backend.delete([second])
    assert store.put(store.task(unique_key="k")) == ["put"]


def test_deleting_a_running_task_frees_its_key(store):
    """UNQ-4."""
    store.worker()
    first = store.add(unique_key="k", unique_scope="unfinished")
    store.claim_one()
    store.backend.delete([first])
    assert store.put(store.task(unique_key="k")) == ["put"]


def test_requeueing_a_task_whose_key_is_taken_is_refused(store):
    """UNQ-1."""
    first = store.add(unique_key="k")
    store.backend.cancel([first])
    store.add(unique_key="k")
    before = store.get(first)
    assert store.backend.requeue([first], store.at(0)) == {first: Answered.REFUSED}
    assert store.get(first) == before


def test_requeueing_takes_the_key_again(store):
    """UNQ-1."""
    first = store.add(unique_key="k")
    store.backend.cancel([first])
    assert store.backend.requeue([first], store.at(0)) == {first: Answered.DONE}
    assert store.put(store.task(unique_key="k")) == ["duplicate"]


def test_of_two_tasks_with_one_key_one_can_be_requeued(store):
    """UNQ-1: in one call too."""
    first = store.add(unique_key="k")
    store.backend.cancel([first])
    second = store.add(unique_key="k")
    store.backend.cancel([second])
    answers = store.backend.requeue([first, second], store.at(0))
    assert sorted(answers.values()) == [Answered.DONE, Answered.REFUSED]


def test_a_finished_task_does_not_hold_its_key(store):
    """UNQ-4."""
    store.worker()
    store.add(unique_key="k")
    store.run()
    assert store.put(store.task(unique_key="k")) == ["put"]
