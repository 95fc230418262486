"""IntervalSchedule: elapsed time, to the microsecond, from an origin that everybody shares."""

# ruff: noqa: DTZ001 - naive: readings of a wall clock, and moments that must be refused

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from taskkit import IntervalSchedule, InvalidSchedule

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_ticks_are_whole_intervals_from_the_first_second_of_2000():
    weekly = IntervalSchedule(timedelta(weeks=1)).next_after(START)
    assert (weekly - datetime(2000, 1, 1, tzinfo=UTC)) % timedelta(weeks=1) == timedelta(0)
    assert START < weekly <= START + timedelta(weeks=1)
    assert weekly.strftime("%A %H:%M") == "Saturday 00:00"


def test_the_origin_itself_is_a_tick_and_there_are_ticks_before_it():
    origin = datetime(2000, 1, 1, tzinfo=UTC)
    schedule = IntervalSchedule(90)
    assert schedule.next_after(origin - timedelta(microseconds=1)) == origin
    assert schedule.next_after(origin - timedelta(seconds=90)) == origin
    assert schedule.next_after(origin - timedelta(seconds=91)) == origin - timedelta(seconds=90)


@pytest.mark.parametrize("every", [0.25, timedelta(milliseconds=250)])
def test_every_is_seconds_or_a_timedelta(every):
    schedule = IntervalSchedule(every)
    assert schedule.next_after(START) == START + timedelta(milliseconds=250)


def test_microseconds_count():
    schedule = IntervalSchedule(timedelta(microseconds=1))
    assert schedule.next_after(START) == START + timedelta(microseconds=1)


def test_start_and_end_are_both_included():
    start = START + timedelta(microseconds=7)
    schedule = IntervalSchedule(60, start=start, end=start + timedelta(minutes=2))
    assert schedule.next_after(START - timedelta(days=365)) == start
    assert schedule.next_after(start - timedelta(microseconds=1)) == start
    assert schedule.next_after(start) == start + timedelta(minutes=1)
    assert schedule.next_after(start + timedelta(seconds=119)) == start + timedelta(minutes=2)
    assert schedule.next_after(start + timedelta(minutes=2)) is None


def test_clock_changes_do_not_concern_it():
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2027, 3, 28, 1, 30, tzinfo=berlin)
    after = IntervalSchedule(3600, start=before).next_after(before)
    assert after.isoformat() == "2027-03-28T03:30:00+02:00"


@pytest.mark.parametrize(
    "every",
    [0, -1, 0.0000001, float("nan"), float("inf"), 10**12, timedelta(0), "60", None, True],
)
def test_an_interval_that_is_none_is_refused(every):
    with pytest.raises(InvalidSchedule, match="every: expected"):
        IntervalSchedule(every)


@pytest.mark.parametrize("edge", ["start", "end"])
def test_naive_edges_and_moments_are_refused(edge):
    with pytest.raises(InvalidSchedule, match=f"{edge}: expected a datetime with a time zone"):
        IntervalSchedule(60, **{edge: datetime(2026, 1, 1)})
    with pytest.raises(InvalidSchedule, match="moment: expected"):
        IntervalSchedule(60).next_after(datetime(2026, 1, 1))


def test_after_the_year_9999_there_is_nothing():
    assert IntervalSchedule(60).next_after(datetime(9999, 12, 31, 23, 59, 30, tzinfo=UTC)) is None
