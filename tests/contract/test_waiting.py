"""Waiting for work and for results: nobody polls, nothing is missed, nothing hangs."""

import threading

import pytest

from taskkit.clock import monotonic
from taskkit.records import Limits, Outcome
from taskkit.task import State

LONG = 15.0
"""Seconds that no wait in these tests may use up."""


def soon(call):
    """Return what a call in a thread of its own returns, and fail if it does not return."""
    box = []
    thread = threading.Thread(target=lambda: box.append(call()), daemon=True)
    thread.start()
    return lambda: (thread.join(LONG), box[0] if box else "still waiting")[1]


def until(condition):
    deadline = monotonic() + LONG
    while not condition():
        assert monotonic() < deadline, "did not come true in time"


@pytest.fixture
def claimer(store):
    """A claimer as workers have one: claims, and waits when it got nothing."""

    def claim_until(count, group="mail"):
        store.worker("claimer")
        got = []
        deadline = monotonic() + LONG
        while len(got) < count and monotonic() < deadline:
            claims = store.claim(count, group, worker="claimer")
            got += [claim.task.id for claim in claims]
            if not claims:
                store.backend.wait([group], LONG)
        return got

    return claim_until


def test_a_put_wakes_a_claimer(store, claimer):
    """LIM-3: within a push latency, not after a poll."""
    result = soon(lambda: claimer(1))
    began = monotonic()
    task_id = store.add()
    assert result() == [task_id]
    assert monotonic() - began < LONG / 2


def test_a_put_into_a_subgroup_wakes_a_claimer_of_the_group(store, claimer):
    result = soon(lambda: claimer(1))
    task_id = store.add("mail.acme")
    assert result() == [task_id]


def test_no_put_is_missed_between_claim_and_wait(store, claimer):
    """A hundred races between a put and a claimer that is about to wait."""
    result = soon(lambda: claimer(100))
    for _ in range(100):
        store.add()
    assert len(set(result())) == 100


def test_two_claimers_both_learn_of_a_put(store):
    """Each may take one of two."""
    done = []

    def work(name):
        store.worker(name)
        deadline = monotonic() + LONG
        while len(done) < 20 and monotonic() < deadline:
            claims = store.claim(1, worker=name)
            done.extend(claim.task.id for claim in claims)
            if not claims:
                store.backend.wait(["mail"], 0.2)

    results = [soon(lambda name=name: work(name)) for name in ("a", "b")]
    for _ in range(20):
        store.add()
    for result in results:
        assert result() is None
    assert len(set(done)) == 20


@pytest.mark.parametrize("way", ["settle", "retry", "requeue", "reschedule", "retire", "limit"])
def test_what_makes_a_task_claimable_wakes_a_claimer(store, claimer, way):
    """LIM-3."""
    store.worker()
    lock = "k" if way == "settle" else None
    first = store.add(lock_key=lock)
    claim = store.claim_one()
    expected = first
    if way == "settle":
        expected = store.add(lock_key=lock)
    elif way == "requeue":
        store.settle(claim, Outcome.FAIL)
    elif way == "reschedule":
        expected = store.add(due=store.at(60))
    elif way == "limit":
        store.backend.configure("mail", Limits(max_running=1))
        expected = store.add()
    result = soon(lambda: claimer(1))
    until(lambda: any(w.info.id == "claimer" for w in store.backend.workers()))
    if way == "settle":
        store.settle(claim)
    elif way == "retry":
        store.settle(claim, Outcome.RETRY)
    elif way == "requeue":
        store.backend.requeue([first], store.at(0))
    elif way == "reschedule":
        store.backend.reschedule([expected], store.at(0))
    elif way == "retire":
        store.backend.retire("w")
    else:
        store.backend.configure("mail", Limits())
    assert result() == [expected]


def test_waiting_ends_at_its_timeout(store):
    store.backend.wait(["mail"], 0)
    assert store.backend.wait(["mail"], 0.01) is False


@pytest.mark.parametrize("method", ["wait", "wait_done"])
def test_closing_wakes_everyone(store, method):
    task_id = store.add()
    target = ["nobody"] if method == "wait" else task_id
    ended = threading.Event()
    soon(lambda: (getattr(store.backend, method)(target, 600), ended.set()))
    # The thread may not yet have begun to wait when the first close comes.
    until(lambda: store.backend.close() or ended.wait(0.01))


def test_waiting_for_a_result_ends_when_it_is_there(store):
    store.worker()
    task_id = store.add()
    result = soon(lambda: wait_until_done(store, task_id))
    store.run()
    assert result() is State.SUCCEEDED


def wait_until_done(store, task_id):
    while not store.backend.wait_done(task_id, LONG):
        pass
    record = store.backend.get([task_id])[task_id]
    return None if record is None else record.state


@pytest.mark.parametrize("end", ["fail", "cancel", "delete", "discard"])
def test_waiting_for_a_result_ends_however_the_task_does(store, end):
    store.worker()
    task_id = store.add()
    result = soon(lambda: wait_until_done(store, task_id))
    if end == "cancel":
        store.backend.cancel([task_id])
    elif end == "delete":
        store.backend.delete([task_id])
    else:
        store.run(outcome=Outcome(end))
    assert result() in (State.FAILED, State.CANCELLED, None)


def test_waiting_for_what_is_over_or_unknown_ends_at_once(store):
    assert store.backend.wait_done(store.put_in(State.FAILED), 60)
    assert store.backend.wait_done("mail_" + "f" * 32, 60)


def test_waiting_for_a_result_ends_at_its_timeout(store):
    assert not store.backend.wait_done(store.add(), 0.01)
    assert not store.backend.wait_done(store.add(), 0)


def test_many_can_wait_for_one_result(store):
    store.worker()
    task_id = store.add()
    results = [soon(lambda: wait_until_done(store, task_id)) for _ in range(8)]
    store.run()
    assert [result() for result in results] == [State.SUCCEEDED] * 8
