"""Many at once: no script does more than a few thousand things, and order is kept all the same."""

from __future__ import annotations

import threading

import pytest
from rediscase import claim, counts, ends, new_task, register, succeed, until

from taskkit.clock import SECOND
from taskkit.records import Limits, Outcome
from taskkit.task import After
from taskkit_redis.nodes import yield_point

NUMBER = 5000


@pytest.fixture
def backend(opened, clock):
    backend = opened(clock=clock)
    register(backend)
    return backend


@pytest.fixture
def trips():
    """Count the round trips of a call."""

    def count(call):
        found = [0]
        yield_point.callback = lambda: found.__setitem__(0, found[0] + 1)
        try:
            call()
        finally:
            yield_point.callback = None
        return found[0]

    return count


def test_all_that_becomes_due_together_keeps_its_order(backend, clock, trips):
    due = clock.now() + SECOND
    tasks = [new_task(due=due, priority=n % 7) for n in range(NUMBER)]
    backend.put(tasks)
    assert claim(backend, 5) == []
    clock.set(due)
    best = sorted(tasks, key=lambda task: (-task.priority, task.id))
    found = []
    assert trips(lambda: found.extend(claim(backend, 5))) > 1
    assert [one.task.id for one in found] == [task.id for task in best[:5]]
    assert counts(backend) == {("mail", "queued"): NUMBER - 5, ("mail", "running"): 5}


def test_those_that_wait_for_a_lock_are_passed_over_once(backend, trips):
    blocked = [new_task(lock_key="l") for _ in range(NUMBER)]
    free = [new_task(priority=-1) for _ in range(3)]
    backend.put([*blocked, *free])
    found = claim(backend, 4)
    assert [one.task.id for one in found] == [blocked[0].id, *(task.id for task in free)]
    assert trips(lambda: claim(backend, 4)) == 1
    assert counts(backend)["mail", "queued"] == NUMBER - 1
    backend.settle("w", ends(found[:1], Outcome.RELEASE))
    assert [one.task.id for one in claim(backend, 4)] == [blocked[0].id]
    backend.cancel([blocked[0].id])
    assert backend.count()[0].oldest_due is not None


def test_the_place_of_one_that_goes_is_taken(backend):
    """It was to be next for its lock, and is deleted before anybody claims it."""
    first, second, third = tasks = [new_task(lock_key="l") for _ in range(3)]
    backend.put(tasks)
    [one] = claim(backend, 3)
    assert one.task.id == first.id
    succeed(backend, [one])
    backend.delete([second.id])
    assert [each.task.id for each in claim(backend, 3)] == [third.id]


def test_locks_of_different_limits(backend):
    backend.put([new_task(lock_key="l", lock_limit=limit) for limit in (3, 3, 3, 3, 1, 5)])
    running = claim(backend, 9)
    assert [one.task.lock_limit for one in running] == [3, 3, 3, 5]
    succeed(backend, running[:1])
    assert claim(backend, 9) == []  # three run: room for one that needs five, and there is none
    succeed(backend, running[1:2])
    assert [one.task.lock_limit for one in claim(backend, 9)] == [3]
    succeed(backend, running[2:])


def test_everything_that_has_expired_is_cancelled(backend, clock):
    backend.put([new_task(expires=clock.now() + SECOND) for _ in range(NUMBER)])
    backend.put([alive := new_task()])
    clock.advance(1.0)
    assert [one.task.id for one in claim(backend, 5)] == [alive.id]
    assert counts(backend) == {("mail", "cancelled"): NUMBER, ("mail", "running"): 1}


def test_who_waits_for_a_task_is_told_that_it_has_expired(opened):
    one, other = opened(), opened()
    task = new_task(due=After(0), expires=After(SECOND // 2))
    other.put([task])
    register(other)
    other.pause(["mail"])
    told = []
    waiting = threading.Thread(target=lambda: told.append(one.wait_done(task.id, 60)))
    waiting.start()
    until(lambda: counts(other) == {("mail", "queued"): 1} and one._wakeup._reading)
    until(lambda: claim(other) or counts(other) == {("mail", "cancelled"): 1})
    waiting.join(30)
    assert told == [True]


def test_a_batch_over_many_groups_and_limits(backend):
    groups = [f"mail.{n}" for n in range(300)]
    backend.configure("mail.7", Limits(max_running=1))
    backend.put([new_task(group) for group in groups for _ in range(4)])
    found = claim(backend, 1000)
    assert len(found) == 1000
    served = {group: sum(one.task.group == group for one in found) for group in groups}
    assert served.pop("mail.7") == 1
    assert set(served.values()) == {3, 4}
    assert len(claim(backend, 1000)) == 1200 - 1000 - 3


def test_what_is_paused_hides_nothing_that_comes_before_its_resumption(backend, clock):
    now = clock.now()
    backend.pause(["mail.a"], now + 20 * SECOND)
    backend.put([new_task("mail.a", due=now + SECOND), new_task("mail.b", due=now + 5 * SECOND)])
    assert backend.claim("w", {"mail": 1}).next_due == now + 5 * SECOND
    backend.pause(["mail.b"], now + 30 * SECOND)
    assert backend.claim("w", {"mail": 1}).next_due == now + 20 * SECOND


def test_the_largest_batches_go_through(backend):
    tasks = [new_task() for _ in range(10_000)]
    assert {one.status for one in backend.put(tasks)} == {"put"}
    claims = claim(backend, 10_000)
    assert [one.task.id for one in claims] == [task.id for task in tasks]
    assert all(succeed(backend, claims))
    assert len(backend.get([task.id for task in tasks])) == 10_000
