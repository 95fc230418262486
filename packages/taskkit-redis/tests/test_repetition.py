"""A reply that is lost: the call was executed, nobody knows it, and it is made again.

A proxy resets the connection when the answer comes back, so what is tested is what happens when a
network fails in the worst moment.
"""

from __future__ import annotations

import pytest
from rediscase import LEASE, claim, counts, ends, new_task, register

from taskkit.errors import Unavailable
from taskkit.records import Answered, Limits, Outcome, Query
from taskkit.task import NOW, State
from taskkit_conformance.proxy import CUT, HOLD, Proxy
from taskkit_conformance.servers.urls import address_of, at_address


@pytest.fixture
def proxy(redis_url):
    with Proxy(address_of(redis_url)) as proxy:
        yield proxy


@pytest.fixture
def far(opened, proxy, redis_url, backend):
    """A backend behind the proxy; connected, and every script known to the server."""
    backend.migrate()
    far = opened(at_address(redis_url, proxy.address))
    far.migrate()
    return far


@pytest.fixture
def lost(proxy):
    """Make a call whose answer is lost."""

    def call(function, *arguments):
        proxy.set(to_client=CUT)
        try:
            with pytest.raises(Unavailable):
                function(*arguments)
        finally:
            proxy.heal()

    return call


def state(backend, task_id):
    record = backend.get([task_id])[task_id]
    return record and record.state


def warm(far):
    """Let the server know the scripts: otherwise the lost answer is that it does not."""
    task = new_task("warm")
    far.put([task, new_task("warm", unique_key="warm")])
    far.put([new_task("warm")])
    register(far, "warm")
    claims = claim(far, 3, "warm", "warm")
    far.settle("warm", ends(claims, Outcome.RETRY))
    far.heartbeat("warm", LEASE, [], {})
    far.cancel([task.id])
    far.requeue([task.id], NOW)
    far.reschedule([task.id], NOW)
    far.delete([task.id])
    far.advance_schedule("warm", 0, b"", [])
    far.pause([])
    far.configure("warm", Limits())
    far.delete([record.task.id for record in far.find(Query(group="warm"), 9).records])
    far.retire("warm")
    far.reclaim()


def test_a_put_is_known_and_puts_nothing_twice(backend, far, lost):
    warm(far)
    task = new_task()
    lost(far.put, [task])
    assert [answer.status for answer in far.put([task])] == ["known"]
    assert counts(backend)["mail", "queued"] == 1


def test_a_put_with_a_unique_key_names_itself(backend, far, lost):
    warm(far)
    task = new_task(unique_key="k")
    lost(far.put, [task])
    assert [(one.id, one.status) for one in far.put([task])] == [(task.id, "known")]


def test_a_claim_comes_back_with_the_second_heartbeat(backend, far, lost):
    warm(far)
    register(far)
    task = new_task()
    far.put([task])
    lost(far.claim, "w", {"mail": 1})
    assert state(backend, task.id) is State.RUNNING
    for _ in range(2):
        far.heartbeat("w", LEASE, [], {})
    [again] = claim(far)
    assert (again.task.id, again.attempt) == (task.id, 1)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_settlement_stands_however_often_it_is_told(backend, far, lost, outcome):
    warm(far)
    register(far)
    far.put([new_task(lock_key="l", unique_key="u", unique_scope="unfinished")])
    [one] = claim(far)
    lost(far.settle, "w", ends([one], outcome))
    before = backend.get([one.task.id])
    assert far.settle("w", ends([one], outcome)) == [True]
    assert backend.get([one.task.id]) == before
    other = Outcome.FAIL if outcome is Outcome.SUCCEED else Outcome.SUCCEED
    assert far.settle("w", ends([one], other)) == [False]


def test_a_schedule_is_advanced_once(backend, far, lost):
    warm(far)
    task = new_task()
    lost(far.advance_schedule, "s", 0, b"one", [task])
    assert far.advance_schedule("s", 0, b"one", [task]) is False
    loaded = backend.load_schedule("s")
    assert (loaded.version, loaded.state) == (1, b"one")
    assert counts(backend)["mail", "queued"] == 1


def test_operations_say_that_they_are_done(backend, far, lost):
    warm(far)
    task = new_task()
    far.put([task])
    lost(far.reschedule, [task.id], NOW)
    assert far.reschedule([task.id], NOW) == {task.id: Answered.DONE}
    lost(far.cancel, [task.id])
    assert far.cancel([task.id]) == {task.id: Answered.REFUSED}
    lost(far.requeue, [task.id], NOW)
    assert far.requeue([task.id], NOW) == {task.id: Answered.REFUSED}
    assert state(backend, task.id) is State.QUEUED
    lost(far.delete, [task.id])
    assert far.delete([task.id]) == {task.id: Answered.UNKNOWN}
    assert counts(backend) == {}


def test_what_a_dead_worker_ran_is_taken_back_once(backend, far, lost, opened, redis_url):
    warm(far)
    register(far)
    far.put([new_task()])
    [one] = claim(far)
    lost(far.retire, "w", True)
    assert far.retire("w", True) == 0
    record = backend.get([one.task.id])[one.task.id]
    assert (record.state, record.losses, len(record.history)) == (State.QUEUED, 1, 1)


def test_a_connection_that_dies_while_nobody_uses_it_is_not_used(far, proxy):
    far.put([new_task()])
    node = far._store.topology.node(0)
    # As if a second had passed since it was used last.
    aged = [(connection, since - 2) for connection, since in node._idle]
    proxy.cut()
    node._idle.clear()
    node._idle.extend(aged)
    assert [answer.status for answer in far.put([new_task()])] == ["put"]


def test_a_server_that_does_not_answer_in_time(opened, proxy, redis_url, far):
    warm(far)  # a script that the server does not know yet is not executed at once
    slow = opened(at_address(redis_url, proxy.address), timeout=0.2)
    slow.migrate()
    proxy.set(to_client=HOLD)
    task = new_task()
    with pytest.raises(Unavailable, match="cannot be used now"):
        slow.put([task])
    proxy.heal()
    # The late answer belongs to no other call.
    assert [answer.status for answer in slow.put([task])] == ["known"]


def test_nothing_is_sent_twice(far, proxy, raw, lost):
    warm(far)
    raw.config_resetstat()
    lost(far.put, [new_task()])
    assert raw.info("commandstats")["cmdstat_evalsha"]["calls"] == 1
