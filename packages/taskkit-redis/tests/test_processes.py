"""Forks, children, threads, and waking one another."""

from __future__ import annotations

import os
import pickle
import threading

import pytest
from rediscase import claim, in_a_fork, new_task, patiently, register, succeed, until, waiting

from taskkit.clock import monotonic
from taskkit.records import Outcome, Settlement
from taskkit_redis.nodes import yield_point

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
forking = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@forking
def test_a_child_has_connections_of_its_own(backend, raw):
    backend.put([new_task()])
    mine = {one["id"] for one in raw.client_list()}
    answer = in_a_fork(lambda: backend.put([new_task("child")])[0].status)
    assert answer == "put"
    assert {one["id"] for one in raw.client_list()} == mine
    assert [one.status for one in backend.put([new_task()])] == ["put"]


@forking
def test_a_fork_while_others_use_and_wait(backend):
    register(backend)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            backend.put([new_task()])
            succeed(backend, claim(backend, 5))

    def wait():
        while not stop.is_set():
            backend.wait(["mail"], 0.05)

    threads = [threading.Thread(target=each) for each in (work, wait, wait)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(10):
            assert in_a_fork(lambda: backend.wait(["nobody"], 0) or backend.count() is not None)
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


@forking
def test_what_was_closed_stays_closed_in_a_child(backend):
    backend.migrate()
    backend.close()
    assert in_a_fork(lambda: backend.count()).startswith(
        "Unavailable: this backend has been closed"
    )


def test_a_pickled_backend_opens_anew(backend):
    backend.put([new_task()])
    again = pickle.loads(pickle.dumps(backend))
    assert again.count() == backend.count()
    again.close()


def sleeping(backend):
    """Return when somebody sleeps in the backend's waiting room."""
    until(lambda: backend._wakeup._reading)


def test_a_put_of_another_client_wakes(opened):
    one, other = opened(), opened()
    one.wait(["mail"], 0)
    thread, answers = waiting(lambda: _again(lambda: one.wait(["mail"], 60)))
    sleeping(one)
    began = monotonic()
    other.put([new_task("mail.sub")])
    thread.join(10)
    assert answers == [True]
    assert monotonic() - began < 10


def test_a_put_in_another_group_does_not(opened):
    one, other = opened(), opened()
    one.wait(["mail"], 0)
    other.put([new_task("mailing")])
    assert one.wait(["mail"], 0.05) is False


def test_what_came_between_two_waits_is_not_missed(opened):
    one, other = opened(), opened()
    one.wait(["mail"], 0)
    assert one.wait(["mail"], 0) is False
    other.put([new_task()])
    assert one.wait(["mail"], 60) is True
    assert one.wait(["mail"], 0) is False


def test_a_settle_of_another_client_ends_a_wait_for_its_result(opened):
    one, other = opened(), opened()
    register(other)
    tasks = [new_task() for _ in range(3)]
    other.put(tasks)
    claims = claim(other)
    each = [waiting(lambda task=task: one.wait_done(task.id, 60)) for task in tasks]
    until(lambda: one._wakeup._waiting == 3 and one._wakeup._reading)
    began = monotonic()
    succeed(other, claims)
    for thread, answers in each:
        thread.join(10)
        assert answers == [True]
    assert monotonic() - began < 10


def test_many_wait_on_one_connection(opened, raw):
    one, other = opened(), opened()
    other.migrate()
    one.wait(["g"], 0)
    threads = [waiting(lambda n=n: _again(lambda: one.wait([f"g{n}"], 60))) for n in range(8)]
    until(lambda: one._wakeup._waiting == 8 and one._wakeup._reading)
    assert len([c for c in raw.client_list() if int(c["sub"])]) <= 1
    for n in range(8):
        other.put([new_task(f"g{n}")])
    for thread, answers in threads:
        thread.join(10)
        assert answers == [True]


def test_close_wakes_everyone(backend):
    backend.put([new_task()])
    task = new_task(due=2**52)
    backend.put([task])
    backend.wait(["none"], 0)
    calls = [lambda: backend.wait(["none"], 60), lambda: backend.wait_done(task.id, 60)]
    threads = []
    for call in [*calls, *calls]:
        threads.append(waiting(lambda call=call: _again(call)))
    until(lambda: backend._wakeup._waiting == 4)
    backend.close()
    backend.close()
    for thread, _ in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert backend.wait(["none"], 60) is False


def _again(call):
    # The first wait of a thread returns at once: it is sent to claim.
    return call() and call()


def test_who_does_not_wait_any_more_does_not_listen(opened, raw, monkeypatch):
    backend = opened()
    backend.wait(["mail"], 0)
    register(backend)
    assert [c for c in raw.client_list() if int(c["sub"])]
    monkeypatch.setattr("taskkit_redis.wakeup._LINGER", 0)
    claim(backend)
    until(lambda: not [c for c in raw.client_list() if int(c["sub"])])


def test_a_subscription_that_is_lost_wakes_and_is_made_anew(opened, raw):
    one, other = opened(), opened()
    one.wait(["mail"], 0)
    for client in raw.client_list():
        if int(client["sub"]):
            raw.client_kill_filter(_id=client["id"])
    with pytest.raises(Exception, match="cannot be used now"):
        one.wait(["mail"], 10)
    assert one.wait(["mail"], 10) is True
    assert one.wait(["mail"], 0) is False
    other.put([new_task()])
    assert one.wait(["mail"], 10) is True


def test_more_partitions_are_listened_to_while_others_are(opened):
    one, other = opened(partitions=16), opened(partitions=16)
    groups = [f"g{n}" for n in range(12)]

    def look_and_wait(group):
        while not one.count([group]):
            one.wait([group], 60)
        return True

    threads = [waiting(lambda group=group: look_and_wait(group)) for group in groups]
    task = new_task("slow")
    other.put([task])
    threads.append(waiting(lambda: one.wait_done(task.id, 60)))
    until(lambda: one._wakeup._waiting == 13 and one._wakeup._reading)
    for group in groups:
        other.put([new_task(group)])
    register(other)
    other.settle(
        "w", [Settlement(c.task.id, c.token, Outcome.FAIL) for c in claim(other, group="slow")]
    )
    for thread, answers in threads:
        thread.join(20)
        assert answers == [True]


def test_who_waits_for_a_result_survives_a_lost_subscription(opened, raw):
    one, other = opened(), opened()
    task = new_task()
    other.put([task])
    each = [waiting(lambda: patiently(lambda: one.wait_done(task.id, 60))) for _ in range(3)]
    until(lambda: one._wakeup._waiting == 3 and one._wakeup._reading)
    for client in raw.client_list():
        if int(client["sub"]):
            raw.client_kill_filter(_id=client["id"])
    register(other)
    claims = claim(other)
    until(lambda: [c for c in raw.client_list() if int(c["sub"])])
    succeed(other, claims)
    for thread, answers in each:
        thread.join(20)
        assert answers == [True]


def test_idle_waiting_sends_nothing(backend, raw):
    backend.wait(["mail"], 0)
    raw.config_resetstat()
    assert backend.wait(["mail"], 0.2) is False
    assert not {name for name in raw.info("commandstats") if "eval" in name or "subscribe" in name}


def trips(call):
    """Return how many round trips a call makes."""
    count = [0]
    yield_point.callback = lambda: count.__setitem__(0, count[0] + 1)
    try:
        call()
    finally:
        yield_point.callback = None
    return count[0]


def test_the_hot_path_is_one_round_trip_each(backend):
    register(backend)
    wants = {f"g{n}": 1 for n in range(20)}

    def trips_of_each():
        tasks, claims = [new_task(group) for group in wants], []
        took = [
            trips(lambda: backend.put(tasks)),
            trips(lambda: claims.extend(backend.claim("w", wants).claims)),
            trips(lambda: succeed(backend, claims)),
        ]
        assert len(claims) == 20
        return took

    trips_of_each()  # from here on the server knows the scripts, whichever test was the first
    assert trips_of_each() == [1, 1, 1]


def test_a_huge_group_goes_in_pieces(backend):
    """No script changes more than some hundred tasks, so that nobody waits for long."""
    tasks = [new_task() for _ in range(5000)]
    backend.put(tasks)
    backend.delete([new_task().id])  # the server knows the script
    assert trips(lambda: backend.delete([task.id for task in tasks])) == 50
    register(backend)
    backend.put(tasks := [new_task(ttl=0) for _ in range(2500)])
    backend.cancel([task.id for task in tasks])
    assert trips(lambda: backend.purge(10_000)) >= 3
    assert backend.count() == []
