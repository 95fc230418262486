"""What is the memory backend's own: one process, its cost, its clock."""

import pickle
import sys
import threading

import pytest

from taskkit import connect
from taskkit.clock import SECOND, ManualClock, monotonic
from taskkit.errors import InvalidSetting, Unsupported
from taskkit.ids import new_id
from taskkit.memory import MemoryBackend
from taskkit.records import Limits, Outcome, Rate, Settlement, WorkerInfo
from taskkit.task import NewTask, State

LEASE = 10**6 * SECOND


def task(group="mail", **fields):
    return NewTask(id=new_id(group), group=group, name="n", data=b"", **fields)


def opened(clock=None):
    backend = MemoryBackend(clock)
    backend.register(WorkerInfo("w", {"mail": 1}), LEASE)
    return backend


def cost(call):
    """Count the calls of functions and builtins that a call makes: a speed without a clock."""
    calls = 0

    def count(_frame, event, _arg):
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return calls


# ---- one process


def test_it_cannot_be_sent_to_another_process():
    with pytest.raises(Unsupported, match=r"one process.*SQLite"):
        pickle.dumps(MemoryBackend())


def test_a_name_is_one_store_and_no_name_a_new_one():
    first, second = connect("memory", url="memory://x"), connect("memory", url="memory://x")
    other, nameless = connect("memory", url="memory://y"), connect("memory")
    [result] = first.put([task()])
    assert second.get([result.id])[result.id] is not None
    assert other.get([result.id])[result.id] is None
    assert nameless.get([result.id])[result.id] is None
    assert connect("memory", url="memory://").count() == []
    first.close()
    assert len(connect("memory", url="memory://x").count()) == 1


def test_a_named_store_has_one_clock():
    clock = ManualClock()
    connect("memory", url="memory://clocked", clock=clock)
    connect("memory", url="memory://clocked", clock=clock)
    connect("memory", url="memory://clocked")
    with pytest.raises(InvalidSetting, match="another clock"):
        connect("memory", url="memory://clocked", clock=ManualClock())


@pytest.mark.parametrize("wrong", [{"url": "sqlite:///x"}, {"colour": "red"}])
def test_what_it_does_not_understand_is_refused(wrong):
    with pytest.raises(InvalidSetting):
        connect("memory", **wrong)


# ---- the clock


def test_moving_the_clock_wakes_a_claimer():
    clock = ManualClock()
    backend = opened(clock)
    backend.put([task(due=clock.now() + SECOND)])
    got = []

    def claim():
        while not got:
            claims = backend.claim("w", {"mail": 1}).claims
            got.extend(claims)
            if not claims:
                backend.wait(["mail"], 60)

    thread = threading.Thread(target=claim, daemon=True)
    thread.start()
    clock.advance(1)
    thread.join(10)
    assert len(got) == 1


def test_a_clock_that_is_set_back_does_not_make_a_rate_forget():
    clock = ManualClock()
    backend = opened(clock)
    backend.configure("mail", Limits(rate=Rate(1, 10.0)))
    backend.put([task(due=0), task(due=0)])
    assert len(backend.claim("w", {"mail": 9}).claims) == 1
    clock.advance(-5)
    answer = backend.claim("w", {"mail": 9})
    assert answer.claims == []
    assert answer.next_due == clock.now() + 10 * SECOND


def test_a_claim_that_was_just_settled_is_not_reported_void():
    backend = opened()
    backend.put([task()])
    [claim] = backend.claim("w", {"mail": 1}).claims
    backend.settle("w", [Settlement(claim.task.id, claim.token, Outcome.SUCCEED)])
    held = [(claim.task.id, claim.token)]
    assert backend.heartbeat("w", LEASE, held, {}).void == frozenset()


# ---- the cost


def fill(backend, count, **fields):
    backend.put([task(**fields) for _ in range(count)])


def one_task(backend):
    """Put, claim and settle one task."""
    backend.put([task(priority=100)])
    [claim] = backend.claim("w", {"mail": 1}).claims
    backend.settle("w", [Settlement(claim.task.id, claim.token, Outcome.SUCCEED)])


@pytest.mark.parametrize(
    "crowd", ["backlog", "waiting", "finished", "blocked", "empty subgroups", "shut subgroups"]
)
def test_a_task_costs_the_same_whatever_else_is_stored(crowd):
    """FAR-3, LIM-7, and the claims of DESIGN section 7."""
    backend = opened()
    one_task(backend)
    alone = cost(lambda: one_task(backend))
    if crowd == "backlog":
        fill(backend, 5000)
    elif crowd == "waiting":
        fill(backend, 5000, due=10**16)
    elif crowd == "finished":
        fill(backend, 5000)
        claims = backend.claim("w", {"mail": 5000}).claims
        settlements = [Settlement(c.task.id, c.token, Outcome.SUCCEED) for c in claims]
        backend.settle("w", settlements)
    elif crowd == "blocked":
        fill(backend, 5000, lock_key="k")
        backend.claim("w", {"mail": 2})
    else:
        for number in range(2000):
            name = f"mail.{number}"
            if crowd == "shut subgroups":
                backend.configure(name, Limits(max_running=0))
            fill(backend, 1, group=name)
        for claim in backend.claim("w", {"mail": 5000}).claims:
            backend.settle("w", [Settlement(claim.task.id, claim.token, Outcome.SUCCEED)])
    one_task(backend)
    # Some steps more, as for an alarm that is set, but none for each task or group.
    assert cost(lambda: one_task(backend)) <= 2 * alone


def test_counting_looks_at_no_task():
    """QRY-1."""
    backend = opened()
    one_task(backend)
    few = cost(backend.count)
    fill(backend, 2000)
    fill(backend, 2000, due=10**16)
    fill(backend, 2000, lock_key="k", priority=-1)
    fill(backend, 2000, priority=1)
    claims = backend.claim("w", {"mail": 2000}).claims
    settlements = [Settlement(c.task.id, c.token, Outcome.SUCCEED) for c in claims]
    backend.settle("w", settlements)
    assert cost(backend.count) < few + 50
    numbers = {count.state: count.count for count in backend.count()}
    assert numbers == {State.QUEUED: 4000, State.WAITING: 2000, State.SUCCEEDED: 2001}


def test_groups_that_are_long_gone_leave_nothing():
    backend = opened()
    for number in range(5000):
        group = f"mail.{number}"
        backend.put([task(group)])
        [claim] = backend.claim("w", {"mail": 1}).claims
        backend.settle("w", [Settlement(claim.task.id, claim.token, Outcome.DISCARD)])
    order = backend.memory.order
    assert len(order.groups) < 2000
    assert len(order._nodes) < 2000
    assert backend.memory.tasks == {}


def test_whoever_waited_in_vain_is_forgotten():
    backend = opened()
    [result] = backend.put([task()])
    began = monotonic()
    for _ in range(3):
        assert not backend.wait_done(result.id, 0.01)
    assert monotonic() - began < 5
    assert backend.memory.watchers == {}
