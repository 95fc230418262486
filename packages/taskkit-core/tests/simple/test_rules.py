"""The rules as pure functions: every transition is an arrow of the lifecycle, claims take turns."""

import random

import pytest

from taskkit.clock import SECOND
from taskkit.records import (
    Control,
    Limits,
    Outcome,
    Query,
    Rate,
    Record,
    Settlement,
    WorkerInfo,
)
from taskkit.simple import queue, transitions, workers
from taskkit.simple.choosing import choose
from taskkit.simple.searching import counted, page
from taskkit.simple.tables import Tables
from taskkit.task import TRANSITIONS, After, Failure, NewTask, State

T0 = 1_700_000_000 * SECOND
BOOM = Failure("E", "boom")


def task(number, group="mail", **fields):
    return NewTask(id=f"{group}_{number:032x}", group=group, name="n", data=b"", **fields)


def running(**fields):
    return transitions.claimed(transitions.stored(task(1, **fields), T0), "w", 1, T0)


def state(record, now=T0):
    return None if record is None else transitions.seen(record, now).state


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("cancelling", [False, True])
@pytest.mark.parametrize("holder", [None, "mail_x"])
@pytest.mark.parametrize("on_lost", ["retry", "keep", "fail"])
@pytest.mark.parametrize("delay", [0, 5])
def test_a_settlement_follows_an_arrow(outcome, cancelling, holder, on_lost, delay):
    record = running(on_lost=on_lost)
    if cancelling:
        record = transitions.cancelled(record, T0)
    end = Settlement(record.task.id, 1, outcome, b"r", BOOM, After(delay))
    after = transitions.settled(record, end, T0 + 1, holder)
    assert state(after) in TRANSITIONS[State.RUNNING]
    if after is None:
        assert outcome is Outcome.DISCARD
        return
    assert (after.worker_id, after.cancelling) == (None, False)
    assert (after.done is not None) is after.state.finished
    assert (after.result is not None) is (after.state is State.SUCCEEDED)
    assert (after.failure is not None) is (after.state.finished and after.result is None)
    if cancelling:
        assert after.state is State.CANCELLED


def test_what_the_state_does_not_allow_is_refused():
    finished = transitions.cancelled(transitions.stored(task(1), T0), T0)
    assert transitions.cancelled(finished, T0) is None
    assert transitions.rescheduled(finished, T0, T0) is None
    assert transitions.rescheduled(running(), T0, T0) is None
    assert transitions.requeued(running(), T0, T0) is None
    assert transitions.requeued(finished, T0, T0, holder="mail_x") is None
    assert transitions.requeued(finished, T0, T0).state is State.QUEUED


@pytest.mark.parametrize(("most", "kept"), [(0, []), (1, [2]), (2, [1, 2]), (9, [1, 2])])
def test_the_newest_attempts_are_kept(most, kept):
    record = running(max_history=most)
    for number in (1, 2):
        end = Settlement(record.task.id, number, Outcome.RETRY, failure=BOOM)
        record = transitions.settled(record, end, T0)
        record = transitions.claimed(record, "w", number + 1, T0)
    assert [attempt.attempt for attempt in record.history] == kept


def test_a_claim_that_was_just_settled_is_not_reported_void():
    tables = Tables()
    workers.register(tables, WorkerInfo("w", {"mail": 1}, "host", 1, "1"), 9 * SECOND, T0)
    queue.put(tables, [task(1), task(2)], T0)
    settled, deleted = queue.claim(tables, "w", {"mail": 2}, (), T0).claims
    again = Settlement(settled.task.id, settled.token, Outcome.RETRY, due=After(0))
    queue.settle(tables, [again], T0)
    tables.remove(deleted.task.id)
    [newer] = queue.claim(tables, "w", {"mail": 1}, (), T0).claims
    held = [(each.task.id, each.token) for each in (settled, deleted, newer)]
    answer = workers.heartbeat(tables, "w", 9 * SECOND, held, {}, T0)
    assert answer.void == {deleted.task.id}


def chosen(records, wants, turns=(), starts=(), now=T0, control=None, excluding=()):
    control = control or Control({}, {})
    return choose(records, wants, excluding, control, dict(turns), dict(starts), now)


def groups(choice):
    return [record.task.group for record in choice.records]


def test_single_claims_take_turns_and_a_newcomer_waits_for_one_round():
    records = [
        transitions.stored(task(number, group), T0)
        for group in ("m", "m.a", "m.b")
        for number in range(5)
    ]
    turns, served = {}, []
    for _ in range(6):
        choice = chosen(records, {"m": 1}, turns)
        records.remove(choice.records[0])
        turns = choice.turns
        served += groups(choice)
    assert served == ["m", "m.a", "m.b"] * 2
    records.append(transitions.stored(task(9, "m.c"), T0))
    choice = chosen(records, {"m": 4}, turns)
    assert groups(choice) == ["m", "m.a", "m.b", "m.c"]


def test_who_has_nothing_keeps_no_turn_and_who_waits_is_not_overtaken():
    """A group that is served, runs dry and is filled again comes after those that waited."""
    a, b = (transitions.stored(task(1, group), T0) for group in ("m.a", "m.b"))
    first = chosen([a, b], {"m": 1})
    assert groups(first) == ["m.a"]
    nothing = chosen([], {"m": 1}, first.turns)
    again = chosen([a, b], {"m": 1}, nothing.turns)
    assert groups(again) == ["m.b"]


def test_order_within_a_group():
    rows = [(0, 2, 1), (5, 1, 2), (0, 1, 3), (0, 1, 4)]
    records = [transitions.stored(task(n, priority=p, due=T0 - 9 + d), T0) for p, d, n in rows]
    random.Random(1).shuffle(records)
    found = [int(r.task.id[-2:], 16) for r in chosen(records, {"mail": 9}).records]
    assert found == [2, 3, 4, 1]


def test_a_rate_opens_a_period_after_the_claim_that_filled_it():
    control = Control({}, {"mail": Limits(rate=Rate(2, 10.0))})
    records = [transitions.stored(task(n), T0) for n in range(4)]
    choice = chosen(records, {"mail": 3}, control=control)
    assert (len(choice.records), choice.next_due) == (2, T0 + 10 * SECOND)
    left = records[2:]
    then = chosen(left, {"mail": 3}, (), choice.starts, T0 + 10 * SECOND - 1, control)
    assert (len(then.records), then.next_due) == (0, T0 + 10 * SECOND)
    then = chosen(left, {"mail": 3}, (), choice.starts, T0 + 10 * SECOND, control)
    assert len(then.records) == 2


def test_a_clock_that_was_set_back_closes_a_rate_for_one_period_at_most():
    control = Control({}, {"mail": Limits(rate=Rate(1, 10.0))})
    records = [transitions.stored(task(n), 0) for n in range(2)]
    starts = chosen(records[:1], {"mail": 1}, control=control).starts
    back = T0 - 1000 * SECOND
    closed = chosen(records[1:], {"mail": 1}, (), starts, back, control)
    assert (len(closed.records), closed.next_due) == (0, back + 10 * SECOND)
    later = chosen(records[1:], {"mail": 1}, (), closed.starts, back + 10 * SECOND, control)
    assert len(later.records) == 1


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ({}, T0 + 5),
        ({"mail": T0 + 9}, T0 + 9),
        ({"*": T0 + 3}, T0 + 5),
        ({"mail": None}, None),
        ({"other": None}, T0 + 5),
    ],
)
def test_next_due_is_when_something_becomes_claimable_by_itself(pauses, expected):
    records = [transitions.stored(task(1, due=T0 + 5), T0)]
    choice = chosen(records, {"mail": 1}, control=Control(pauses, {}))
    assert (choice.records, choice.next_due) == ([], expected)


def test_counts_are_what_a_search_finds():
    stored = [transitions.stored(task(n, due=T0 + n), T0) for n in range(3)]
    records = [transitions.seen(record, T0 + 1) for record in [*stored, running(priority=1)]]
    for count in counted(records, None):
        found = page(records, Query(states=[count.state], group=count.group), 9, None).records
        assert len(found) == count.count
        assert min(record.task.due for record in found) == count.oldest_due
    assert all(isinstance(record, Record) for record in records)


def test_no_delay_leads_to_before_the_first_instant():
    assert transitions.stored(task(1, due=After(-T0 - 1)), T0).task.due == 0
