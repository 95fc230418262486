"""SCH-07, SCH-09, SCH-12: which ticks run after nobody was there, and that it costs little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkit import CronSchedule, IntervalSchedule, OnlyEarliest, OnlyLatest, RegularSchedule
from taskkit.clock import SECOND
from taskkit.schedule.missed import HORIZON, due_ticks
from taskkit.schedule.protocol import next_tick

YEAR = 365 * 24 * 3600 * SECOND
NOW = 1_700_000_000 * SECOND


def every(period):
    """Return the ticks at whole multiples of a period."""
    return lambda instant: instant - instant % period + period


def counting(after):
    calls = []

    def counted(instant):
        calls.append(instant)
        return after(instant)

    counted.calls = calls
    return counted


MINUTELY = every(60 * SECOND)
FIRST = NOW - NOW % (60 * SECOND) - 540 * SECOND  # ten ticks up to now, this is the first


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("latest", [FIRST + 540 * SECOND]),
        ("earliest", [FIRST]),
        ("all", [FIRST + n * 60 * SECOND for n in range(10)]),
        ("none", []),
        (OnlyLatest(), [FIRST + 540 * SECOND]),
        (OnlyEarliest(), [FIRST]),
    ],
)
def test_each_policy_chooses_among_ten_missed_ticks(policy, expected):
    due = due_ticks(MINUTELY, FIRST - 1, NOW, policy, 1000)
    assert list(due.ticks) == expected
    assert due.last == FIRST + 540 * SECOND
    assert due.next == FIRST + 600 * SECOND


@pytest.mark.parametrize("policy", ["latest", "earliest", "all", "none"])
def test_a_tick_exactly_now_is_on_time_under_every_policy(policy):
    now = FIRST
    assert due_ticks(MINUTELY, now - 1, now, policy, 1000).ticks == (now,)


def test_none_means_late_by_a_second_or_more():
    assert due_ticks(MINUTELY, FIRST - 1, FIRST + SECOND - 1, "none", 1000).ticks == (FIRST,)
    assert due_ticks(MINUTELY, FIRST - 1, FIRST + SECOND, "none", 1000).ticks == ()


def test_ticks_of_the_next_two_seconds_are_put_ahead_and_no_others():
    now = FIRST
    due = due_ticks(every(SECOND // 2), now, now, "latest", 1000)
    assert due.ticks == tuple(now + n * SECOND // 2 for n in range(1, 5))
    assert due.last == now + HORIZON
    assert due.next == now + HORIZON + SECOND // 2


def test_a_policy_of_a_user_sees_the_missed_ticks_and_may_choose_some_of_them():
    seen = []

    def every_other(points, last):
        seen.append((points[0], last))
        return [*points[::2], datetime(1999, 1, 1, tzinfo=UTC)]

    due = due_ticks(MINUTELY, FIRST - 1, NOW, every_other, 1000)
    assert list(due.ticks) == [FIRST + n * 120 * SECOND for n in range(5)]
    assert seen[0][0].timestamp() * SECOND == FIRST


def test_all_goes_on_in_batches_and_leaves_nothing_out():
    last, found = NOW - 2500 * SECOND, []
    while last < NOW:
        due = due_ticks(every(SECOND), last, NOW, "all", 1000)
        assert len(due.ticks) <= 1000
        found.extend(due.ticks)
        last = due.last
    assert found[:2500] == [NOW + n * SECOND for n in range(-2499, 1)]


def test_the_rest_of_a_batch_is_not_put_past_the_policy():
    none_of_them = lambda points, last: []
    due = due_ticks(every(SECOND), NOW - 100 * SECOND, NOW, none_of_them, 10)
    assert due.ticks == ()
    assert due.last == NOW - 90 * SECOND


@pytest.mark.parametrize("policy", ["latest", "earliest", "none"])
def test_a_year_of_seconds_costs_about_a_hundred_questions(policy):
    after = counting(every(SECOND))
    due = due_ticks(after, NOW - YEAR, NOW, policy, 1000)
    assert NOW - SECOND < max(due.last - HORIZON, 0) <= NOW
    assert len(after.calls) <= 120


def test_a_year_of_all_costs_a_batch():
    after = counting(every(SECOND))
    assert len(due_ticks(after, NOW - YEAR, NOW, "all", 1000).ticks) == 1000
    assert len(after.calls) <= 1002


@pytest.mark.parametrize(
    "schedule",
    [
        RegularSchedule("*", tzinfo="Europe/Berlin"),
        RegularSchedule("*", "*", 3, tzinfo="Europe/Berlin"),
        CronSchedule("0 0 29 2 *"),
        CronSchedule("30 2 * * *", "Europe/Berlin"),
        IntervalSchedule(timedelta(microseconds=1)),
    ],
    ids=repr,
)
def test_the_latest_tick_is_the_one_with_none_between_it_and_now(schedule):
    after = lambda instant: next_tick(schedule, instant, UTC)
    due = due_ticks(after, NOW - 5 * YEAR, NOW, "latest", 1)
    assert due.last == due.ticks[0] <= NOW
    assert after(due.ticks[0] - 1) == due.ticks[0]
    assert due.next > NOW


def test_a_schedule_that_ends_has_no_next_tick():
    after = lambda instant: FIRST if instant < FIRST else None
    due = due_ticks(after, FIRST - 10, NOW, "latest", 1000)
    assert (due.ticks, due.next) == ((FIRST,), None)
    assert due_ticks(after, FIRST, NOW, "latest", 1000).ticks == ()


@given(
    ticks=st.sets(st.integers(0, 200), max_size=30),
    last=st.integers(0, 200),
    gone=st.integers(0, 100),
)
def test_latest_and_earliest_agree_with_a_walk_over_any_ticks(ticks, last, gone):
    now = last + gone
    after = lambda instant: min((tick for tick in ticks if tick > instant), default=None)
    missed = sorted(tick for tick in ticks if last < tick <= now)
    for policy, expected in (("latest", missed[-1:]), ("earliest", missed[:1])):
        due = due_ticks(after, last, now, policy, 1000)
        assert [tick for tick in due.ticks if tick <= now] == expected
        ahead = [tick for tick in due.ticks if tick > now]
        assert ahead == sorted(tick for tick in ticks if now < tick <= now + HORIZON)
