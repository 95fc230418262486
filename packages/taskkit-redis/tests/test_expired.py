"""What has expired stands in nobody's way, however much more of it no script has come to yet."""

from __future__ import annotations

import pytest
from rediscase import claim, ends, new_task, register

from taskkit.clock import SECOND
from taskkit.errors import QueueFull
from taskkit.records import Answered, Limits, Outcome
from taskkit.task import NOW, State

NUMBER = 1200
"""More than any script cancels at once."""


@pytest.fixture
def backend(opened, clock):
    backend = opened(clock=clock)
    register(backend)
    return backend


@pytest.fixture
def expired(backend, clock):
    """Tasks with the keys k0, k1 …, none of which was claimed in time."""
    tasks = [
        new_task(unique_key=f"k{n}", expires=clock.now() + SECOND + n, labels={"n": n})
        for n in range(NUMBER)
    ]
    backend.put(tasks)
    clock.advance(10)
    return tasks


def state(backend, task_id):
    return backend.get([task_id])[task_id].state


def test_its_key_is_free(backend, expired):
    last = expired[-1]
    task = new_task(unique_key=last.unique_key)
    assert [(one.id, one.status) for one in backend.put([task])] == [(task.id, "put")]
    assert [one.id for one in backend.put([new_task(unique_key=last.unique_key)])] == [task.id]
    found = backend.get([last.id])[last.id]
    assert (found.state, found.failure.type) == (State.CANCELLED, "expired")
    assert [one.task.id for one in claim(backend)] == [task.id]


def test_its_key_is_free_within_a_transaction(backend, expired, raw):
    task = new_task(unique_key=expired[-1].unique_key)
    with raw.pipeline() as pipeline:
        backend.put([task], pipeline)
        pipeline.execute()
    assert state(backend, task.id) is State.QUEUED


@pytest.mark.parametrize("partitions", [1, 7])
def test_its_key_is_free_for_a_schedule(opened, clock, partitions):
    backend = opened(clock=clock, partitions=partitions)
    expires = clock.now() + SECOND
    backend.put([new_task(unique_key=f"k{n}", expires=expires + n) for n in range(NUMBER)])
    clock.advance(10)
    task = new_task(unique_key=f"k{NUMBER - 1}")
    assert backend.advance_schedule("s", 0, b"", [task])
    assert state(backend, task.id) is State.QUEUED


@pytest.mark.parametrize("outcome", [Outcome.RETRY, Outcome.RELEASE])
def test_it_supersedes_nobody(backend, clock, outcome):
    running, other = (
        new_task(unique_key="k"),
        new_task(unique_key="k", expires=clock.now() + SECOND),
    )
    backend.put([running])
    [one] = claim(backend)
    assert [answer.status for answer in backend.put([other])] == ["put"]
    clock.advance(10)
    assert backend.settle("w", ends([one], outcome)) == [True]
    assert state(backend, running.id) is State.QUEUED
    assert state(backend, other.id) is State.CANCELLED


def test_it_keeps_nobody_from_being_requeued(backend, expired, clock):
    failed = new_task(unique_key="k")
    backend.put([failed])
    backend.settle("w", ends(claim(backend, 1), Outcome.FAIL))
    # The last to expire, so that no script comes to it by itself.
    holder = new_task(unique_key="k", expires=clock.now() + SECOND)
    later = [new_task(expires=clock.now() + SECOND - 1) for _ in range(NUMBER)]
    backend.put([holder, *later])
    clock.advance(10)
    assert backend.requeue([failed.id], NOW) == {failed.id: Answered.DONE}
    assert state(backend, holder.id) is State.CANCELLED


def test_it_takes_no_room(backend, expired):
    backend.configure("mail", Limits(max_queue_size=1))
    assert [one.status for one in backend.put([new_task()])] == ["put"]
    with pytest.raises(QueueFull):
        backend.put([new_task()])


def test_it_takes_no_room_within_a_transaction(backend, expired, raw):
    backend.configure("mail", Limits(max_queue_size=1))
    with raw.pipeline() as pipeline:
        backend.put([new_task()], pipeline)
        pipeline.execute()


def test_it_takes_no_room_in_any_partition(opened, clock):
    backend = opened(clock=clock, partitions=7)
    groups = ["a", "b", "c"]
    for group in groups:
        backend.configure(group, Limits(max_queue_size=NUMBER))
        backend.put([new_task(group, expires=clock.now() + SECOND) for _ in range(NUMBER)])
    clock.advance(10)
    assert [one.status for one in backend.put([new_task(group) for group in groups])] == ["put"] * 3


def test_it_is_as_good_as_cancelled(backend, expired):
    for task in expired[-3:]:
        assert backend.cancel([task.id]) == {task.id: Answered.REFUSED}
        assert backend.reschedule([task.id], NOW) == {task.id: Answered.REFUSED}
        assert backend.requeue([task.id], NOW) == {task.id: Answered.DONE}
        assert state(backend, task.id) is State.QUEUED


@pytest.mark.parametrize(("change", "to"), [("reschedule", "refused"), ("requeue", "done")])
def test_each_change_sees_that_by_itself(backend, expired, change, to):
    task = expired[-1]
    assert getattr(backend, change)([task.id], NOW) == {task.id: to}
