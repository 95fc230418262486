"""Steering: pauses, stops, cancels, and the place where workers learn of them."""

import pytest

from taskkit.clock import SECOND
from taskkit.groups import covered
from taskkit.records import Answered, Outcome
from taskkit.task import CANCELLED_BY_REQUEST, UNCLAIMED, After, State


def test_a_pause_reaches_every_worker_with_its_next_heartbeat(store):
    """CTL-1."""
    store.worker("a")
    store.worker("b")
    assert store.beat("a").paused == frozenset()
    store.backend.pause(["mail"])
    for worker in ("a", "b"):
        paused = store.beat(worker).paused
        assert covered("mail", paused)
        assert covered("mail.sub", paused)
        assert not covered("mailing", paused)


def test_a_pause_holds_for_workers_that_come_later(store):
    """CTL-2."""
    store.backend.pause(["mail"])
    store.worker("late")
    assert covered("mail", store.beat("late").paused)


def test_a_pause_of_a_subgroup_is_told_to_a_worker_of_the_group(store):
    """CTL-1."""
    store.worker(mail=8)
    store.backend.pause(["mail.acme"])
    paused = store.beat().paused
    assert covered("mail.acme", paused)
    assert not covered("mail", paused)


def test_a_pause_ends_exactly_at_its_instant(store):
    """CTL-2."""
    store.worker()
    store.backend.pause(["mail"], After(10 * SECOND))
    assert store.backend.control().pauses == {"mail": store.at(10)}
    store.clock.set(store.at(10) - 1)
    assert covered("mail", store.beat().paused)
    store.move_to(10)
    assert not covered("mail", store.beat().paused)
    assert store.backend.control().pauses == {}


def test_pausing_again_replaces_the_end(store):
    """CTL-2."""
    store.backend.pause(["mail"], store.at(10))
    store.backend.pause(["mail"])
    assert store.backend.control().pauses == {"mail": None}
    store.backend.pause(["mail"], store.at(5))
    assert store.backend.control().pauses == {"mail": store.at(5)}


def test_resuming_lifts_exactly_these_pauses(store):
    """CTL-1."""
    store.worker()
    store.backend.pause(["mail", "mail.a", "other"])
    store.backend.resume(["mail", "nobody"])
    assert set(store.backend.control().pauses) == {"mail.a", "other"}
    paused = store.beat().paused
    assert not covered("mail", paused)
    assert covered("mail.a", paused)


def test_all_groups_no_groups_and_a_list_differ(store):
    """CTL-5: for pause and resume."""
    store.worker()
    store.backend.pause([])
    assert store.beat().paused == frozenset()
    store.backend.pause(None)
    assert covered("anything", store.beat().paused)
    assert store.backend.control().pauses == {"*": None}
    store.backend.pause(["mail"])
    store.backend.resume([])
    store.backend.resume(["mail"])
    assert covered("anything", store.beat().paused)
    store.backend.pause(["mail"])
    store.backend.resume(None)
    assert store.beat().paused == frozenset()
    assert store.backend.control().pauses == {}


def test_a_stop_reaches_the_workers_of_now_and_no_later_ones(store):
    """CTL-1."""
    store.worker("now")
    store.backend.stop(["mail"])
    store.worker("later")
    assert covered("mail", store.beat("now").stopped)
    assert covered("mail", store.beat("now").stopped), "it stays told"
    assert store.beat("later").stopped == frozenset()


def test_stopping_all_none_and_some_differ(store):
    """CTL-5."""
    store.worker()
    store.backend.stop([])
    assert store.beat().stopped == frozenset()
    store.backend.stop(["mail.a"])
    stopped = store.beat().stopped
    assert covered("mail.a", stopped)
    assert not covered("mail", stopped)
    store.backend.stop(None)
    assert covered("anything", store.beat().stopped)


def test_a_worker_that_registers_anew_after_a_stop_is_a_later_one(store):
    """CTL-1."""
    store.worker(lease=10)
    store.backend.stop(None)
    store.backend.retire("w")
    store.worker()
    assert store.beat().stopped == frozenset()


@pytest.mark.parametrize("state", sorted(UNCLAIMED))
def test_cancelling_an_unclaimed_task_is_immediate_and_final(store, state):
    """CTL-3."""
    store.worker()
    task_id = store.put_in(state)
    store.move_to(1)
    assert store.backend.cancel([task_id]) == {task_id: Answered.DONE}
    record = store.get(task_id)
    assert (record.state, record.done, record.attempt) == (State.CANCELLED, store.at(1), 0)
    assert record.failure.type == CANCELLED_BY_REQUEST
    store.move_to(5000)
    assert store.claim(5) == []
    assert store.next_due() is None


def test_cancelling_a_running_task_reaches_its_worker_by_heartbeat(store):
    """CTL-4."""
    store.worker()
    store.worker("other")
    mine = store.add()
    store.add()
    claims = store.claim(2)
    assert store.backend.cancel([mine]) == {mine: Answered.REQUESTED}
    assert store.backend.cancel([mine]) == {mine: Answered.REQUESTED}
    record = store.get(mine)
    assert (record.state, record.cancelling) == (State.RUNNING, True)
    assert store.beat("w", *claims).cancelled == {mine}
    assert store.beat("w", *claims).cancelled == {mine}, "it stays told"
    assert store.beat("other").cancelled == frozenset()


@pytest.mark.parametrize(
    "end",
    [
        Outcome.SUCCEED,
        Outcome.FAIL,
        Outcome.RETRY,
        Outcome.RELEASE,
        Outcome.CANCEL,
        Outcome.LOSE,
    ],
)
def test_a_task_that_was_to_be_cancelled_becomes_so_however_it_ends(store, end):
    """CTL-4: the request came first."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    store.backend.cancel([task_id])
    assert store.settle(claim, end)
    record = store.get(task_id)
    assert (record.state, record.result, record.cancelling) == (State.CANCELLED, None, False)
    assert record.failure.type == CANCELLED_BY_REQUEST
    assert record.done == store.clock.now()
    assert store.claim(5) == []


def test_a_task_that_was_to_be_cancelled_can_be_discarded(store):
    """CTL-4."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    store.backend.cancel([task_id])
    assert store.settle(claim, Outcome.DISCARD)
    assert not store.knows(task_id)


def test_a_settlement_that_came_first_stands(store):
    """CTL-4."""
    store.worker()
    task_id = store.add()
    store.run()
    assert store.backend.cancel([task_id]) == {task_id: Answered.REFUSED}
    assert store.state(task_id) is State.SUCCEEDED


def test_of_cancel_and_settlement_racing_whichever_came_first_stands(store, race):
    """CTL-4."""
    store.worker()
    for _ in range(15):
        task_id = store.add()
        claim = store.claim_one()
        stands, answer = race(
            [
                lambda claim=claim: store.settle(claim),
                lambda task_id=task_id: store.backend.cancel([task_id])[task_id],
            ]
        )
        assert stands
        expected = State.CANCELLED if answer is Answered.REQUESTED else State.SUCCEEDED
        assert store.state(task_id) is expected


def test_of_cancel_and_claim_racing_whichever_came_first_stands(store, race):
    """CTL-3, CTL-4."""
    store.worker()
    for _ in range(15):
        task_id = store.add()
        got, answer = race(
            [
                lambda: store.claimed(),
                lambda task_id=task_id: store.backend.cancel([task_id])[task_id],
            ]
        )
        assert (got, answer) in (([task_id], Answered.REQUESTED), ([], Answered.DONE))
        store.backend.delete([task_id])


def test_a_cancel_request_dies_with_the_attempt_that_it_ended(store):
    """CTL-4: requeued, the task runs."""
    store.worker()
    task_id = store.add()
    claim = store.claim_one()
    store.backend.cancel([task_id])
    store.settle(claim, Outcome.CANCEL)
    store.backend.requeue([task_id], store.at(0))
    claim = store.claim_one()
    assert store.beat("w", claim).cancelled == frozenset()
    assert store.settle(claim)
    assert store.state(task_id) is State.SUCCEEDED


def test_a_worker_that_stops_in_good_order_cancels_what_was_to_be_cancelled(store):
    """CTL-4."""
    store.worker()
    task_id = store.add()
    store.claim_one()
    store.backend.cancel([task_id])
    store.backend.retire("w")
    assert store.state(task_id) is State.CANCELLED


def test_nothing_of_a_paused_group_is_claimed_until_the_pause_ends(store):
    """CTL-02"""
    store.add("mail.acme")
    store.worker(mail=1)
    store.backend.pause(["mail"], After(10 * SECOND))
    claims = store.backend.claim("w", {"mail": 1})
    assert not claims.claims
    assert claims.next_due is not None
    assert claims.next_due <= store.at(10)
    store.move_to(10)
    assert len(store.backend.claim("w", {"mail": 1}).claims) == 1
