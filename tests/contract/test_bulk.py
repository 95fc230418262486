"""Many at once: all or nothing, in order, without double."""

import pytest

from taskkit.errors import QueueFull
from taskkit.records import Limits, Outcome, Settlement
from taskkit.task import State


def test_empty_calls_have_no_effect(store):
    """BLK-01."""
    store.worker()
    assert store.backend.put([]) == []
    assert store.backend.settle("w", []) == []
    assert store.backend.get([]) == {}
    assert list(store.backend.claim("w", {}).claims) == []
    assert store.counts() == {}


def test_a_bulk_put_ends_like_its_parts_in_order(store):
    """BLK-02."""
    tasks = [
        store.task(group, due=store.at(due), priority=priority, labels={"n": due})
        for group in ("mail", "other")
        for due, priority in ((-1, 3), (5, 0))
    ]
    assert store.put(*tasks) == ["put"] * 4
    for task in tasks:
        stored = store.get(task.id).task
        assert (stored.due, stored.priority) == (task.due, task.priority)
        assert dict(stored.labels) == dict(task.labels)


def test_a_bulk_put_that_is_refused_puts_nothing(store):
    """BLK-03, DUR-02: the last member does not fit."""
    store.backend.configure("full", Limits(max_queue_size=0))
    tasks = [*(store.task(unique_key=f"k{n}") for n in range(50)), store.task("full")]
    with pytest.raises(QueueFull):
        store.backend.put(tasks)
    assert store.counts() == {}
    assert store.put(*tasks[:-1]) == ["put"] * 50, "keys were not kept either"


def test_the_first_of_two_equal_ids_wins(store):
    """BLK-04."""
    first, second = store.task(number=1, data=b"1"), store.task(number=1, data=b"2")
    assert store.put(first, second) == ["put", "known"]
    assert store.get(first.id).task.data == b"1"


def test_a_mixed_bulk_answers_each_in_its_place(store):
    """BLK-02, BLK-04."""
    known = store.task()
    holder = store.task(unique_key="k")
    store.put(known, holder)
    new = store.task()
    results = store.backend.put([known, new, store.task(unique_key="k"), new])
    assert [(r.id, r.status) for r in results] == [
        (known.id, "known"),
        (new.id, "put"),
        (holder.id, "duplicate"),
        (new.id, "known"),
    ]


def test_the_largest_batch_works(store):
    """BLK-05: beyond a driver's limit of parameters, in every call."""
    size = min(store.backend.capabilities().max_batch, 10_000)
    store.worker()
    tasks = [store.task() for _ in range(size)]
    assert store.put(*tasks) == ["put"] * size
    ids = [task.id for task in tasks]
    assert list(store.backend.get(ids)) == ids
    claims = store.claim(size)
    assert [claim.task.id for claim in claims] == ids
    assert store.beat("w", *claims).alive
    settlements = [Settlement(c.task.id, c.token, Outcome.SUCCEED, b"1") for c in claims]
    assert store.backend.settle("w", settlements) == [True] * size
    assert store.counts() == {("mail", State.SUCCEEDED): size}
    assert len(store.backend.cancel(ids)) == size
    assert set(store.backend.delete(ids).values()) == {"done"}
    assert store.counts() == {}


def test_a_claim_of_n_gives_at_most_n_and_fewer_only_if_no_more_is_due(store):
    """BLK-06."""
    store.worker()
    ids = [store.add() for _ in range(10)]
    store.add(due=store.at(1))
    assert store.claimed(4) == ids[:4]
    assert store.claimed(6) == ids[4:]
    assert store.claimed(6) == []


def test_one_settlement_that_does_not_stand_does_not_hinder_the_others(store):
    """BLK-02, LEA-05."""
    store.worker()
    ids = [store.add() for _ in range(4)]
    claims = store.claim(4)
    store.backend.delete([ids[1]])
    settlements = [
        Settlement(claims[0].task.id, claims[0].token, Outcome.SUCCEED, b"0"),
        Settlement(claims[1].task.id, claims[1].token, Outcome.SUCCEED, b"1"),
        Settlement(claims[2].task.id, claims[2].token - 1, Outcome.FAIL),
        Settlement(claims[3].task.id, claims[3].token, Outcome.RETRY, due=store.at(9)),
    ]
    assert store.backend.settle("w", settlements) == [True, False, False, True]
    assert [store.knows(i) and store.state(i) for i in ids] == [
        State.SUCCEEDED,
        False,
        State.RUNNING,
        State.WAITING,
    ]


def test_every_outcome_in_one_batch(store):
    """BLK-02."""
    store.worker()
    ids = {outcome: store.add() for outcome in Outcome}
    settlements = [
        Settlement(claim.task.id, claim.token, outcome, b"r", due=store.at(5))
        for outcome, claim in zip(Outcome, store.claim(10), strict=True)
    ]
    assert store.backend.settle("w", settlements) == [True] * len(ids)
    states = {o: store.knows(i) and store.state(i) for o, i in ids.items()}
    assert states == {
        Outcome.SUCCEED: State.SUCCEEDED,
        Outcome.FAIL: State.FAILED,
        Outcome.RETRY: State.WAITING,
        Outcome.DISCARD: False,
        Outcome.RELEASE: State.WAITING,
        Outcome.CANCEL: State.CANCELLED,
        Outcome.LOSE: State.QUEUED,
    }


def test_a_settlement_given_twice_in_one_batch_counts_once(store):
    """BLK-04, RTY-06."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    one = Settlement(claim.task.id, claim.token, Outcome.RETRY, due=store.at(0))
    assert store.backend.settle("w", [one, one]) == [True, True]
    record = store.get(task_id)
    assert (record.task.retry_count, len(record.history)) == (1, 1)


def test_a_lookup_has_one_entry_for_each_distinct_id(store):
    """BLK-08."""
    known, unknown = store.add(), "mail_" + "e" * 32
    found = store.backend.get([known, unknown, known])
    assert set(found) == {known, unknown}
    assert found[unknown] is None


def test_an_id_named_twice_is_answered_once(store):
    """BLK-04."""
    task_id = store.add()
    assert store.backend.cancel([task_id, task_id]) == {task_id: "done"}
    other = store.add()
    assert store.backend.delete([other, other]) == {other: "done"}
