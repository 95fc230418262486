"""RegularSchedule: its fields, what it refuses, and that old forms still mean the same."""

# ruff: noqa: DTZ001 - naive: readings of a wall clock, and moments that must be refused

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from taskkit import InvalidSchedule, OnlyEarliest, OnlyLatest, RegularSchedule

START = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday


def ticks(schedule, start, count):
    found = []
    while len(found) < count:
        start = schedule.next_after(start)
        found.append(start)
    return found


def test_the_example_of_the_first_taskkit_fires_twice_an_hour():
    schedule = RegularSchedule(seconds={0}, minutes={0, 30})
    assert ticks(schedule, START, 3) == [
        datetime(2026, 1, 1, 0, 30, tzinfo=UTC),
        datetime(2026, 1, 1, 1, 0, tzinfo=UTC),
        datetime(2026, 1, 1, 1, 30, tzinfo=UTC),
    ]


def test_without_arguments_it_fires_every_minute():
    assert ticks(RegularSchedule(), START, 2) == [
        START + timedelta(minutes=1),
        START + timedelta(minutes=2),
    ]


@pytest.mark.parametrize("every", ["*", None, range(60), set(range(60)), list(range(60))])
def test_star_and_none_and_all_values_mean_the_same(every):
    assert ticks(RegularSchedule(every), START, 2) == [
        START + timedelta(seconds=1),
        START + timedelta(seconds=2),
    ]


def test_seconds_are_not_rounded():
    assert ticks(RegularSchedule({7, 59}), START, 3) == [
        START + timedelta(seconds=7),
        START + timedelta(seconds=59),
        START + timedelta(seconds=67),
    ]


def test_a_tick_is_strictly_after_the_moment_to_the_microsecond():
    schedule = RegularSchedule(minutes=0)
    tick = datetime(2026, 1, 1, 5, tzinfo=UTC)
    assert schedule.next_after(tick - timedelta(microseconds=1)) == tick
    assert schedule.next_after(tick) == tick + timedelta(hours=1)
    assert schedule.next_after(tick + timedelta(microseconds=1)) == tick + timedelta(hours=1)


def test_positions_are_seconds_minutes_hours_days_weekdays_months():
    schedule = RegularSchedule(1, 2, 3, 4, {0, 1, 2, 3, 4, 5, 6}, 5)
    assert schedule.next_after(START) == datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def test_weekday_0_is_monday():
    monday = RegularSchedule(minutes=0, hours=9, weekdays=0).next_after(START)
    assert monday == datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert monday.weekday() == 0


def test_days_and_weekdays_must_both_fit():
    friday_the_13th = RegularSchedule(minutes=0, hours=0, days=13, weekdays=4)
    assert ticks(friday_the_13th, START, 2) == [
        datetime(2026, 2, 13, tzinfo=UTC),
        datetime(2026, 3, 13, tzinfo=UTC),
    ]


def test_months_without_the_day_are_passed_over():
    assert ticks(RegularSchedule(minutes=0, hours=0, days=31), START, 3) == [
        datetime(2026, 1, 31, tzinfo=UTC),
        datetime(2026, 3, 31, tzinfo=UTC),
        datetime(2026, 5, 31, tzinfo=UTC),
    ]


def test_a_leap_day_on_a_weekday_is_found_across_the_year_2100():
    schedule = RegularSchedule(minutes=0, hours=0, days=29, weekdays=6, months=2)
    found = schedule.next_after(datetime(2072, 3, 1, tzinfo=UTC))
    assert (found.month, found.day, found.weekday()) == (2, 29, 6)


def test_its_zone_is_its_own_or_that_of_the_moment():
    tokyo = timezone(timedelta(hours=9), "JST")
    noon = RegularSchedule(minutes=0, hours=12)
    assert noon.next_after(START) == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert noon.next_after(START.astimezone(tokyo)) == datetime(2026, 1, 1, 3, tzinfo=UTC)
    own = RegularSchedule(minutes=0, hours=12, tzinfo=tokyo)
    assert own.next_after(START) == datetime(2026, 1, 1, 3, tzinfo=UTC)
    assert own.next_after(START).tzinfo is tokyo


def test_a_zone_may_be_given_by_name():
    assert RegularSchedule(tzinfo="Europe/Berlin").tzinfo == ZoneInfo("Europe/Berlin")


def test_after_the_year_9999_there_is_nothing():
    assert RegularSchedule().next_after(datetime(9999, 12, 31, 23, 59, 30, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seconds", 60),
        ("seconds", -1),
        ("minutes", {0, 60}),
        ("hours", 24),
        ("days", 0),
        ("days", 32),
        ("weekdays", 7),
        ("months", 0),
        ("months", 13),
        ("minutes", set()),
        ("minutes", "5"),
        ("minutes", "*/5"),
        ("minutes", True),
        ("minutes", 1.5),
        ("minutes", {"a"}),
        ("minutes", [[1]]),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(field, value):
    with pytest.raises(InvalidSchedule, match=f"{field}: expected"):
        RegularSchedule(**{field: value})


@pytest.mark.parametrize(("days", "months"), [(31, 2), (30, 2), ({31}, {4, 6, 9, 11})])
def test_a_date_that_never_comes_is_refused(days, months):
    with pytest.raises(InvalidSchedule, match="never fire"):
        RegularSchedule(days=days, months=months)


def test_29_february_is_a_date():
    assert RegularSchedule(minutes=0, hours=0, days=29, months=2).next_after(START) == datetime(
        2028, 2, 29, tzinfo=UTC
    )


def test_a_naive_moment_is_refused():
    with pytest.raises(InvalidSchedule, match="time zone"):
        RegularSchedule().next_after(datetime(2026, 1, 1))


def test_what_is_no_policy_is_refused():
    with pytest.raises(InvalidSchedule, match="duplication_policy"):
        RegularSchedule(duplication_policy="latest")


def test_the_policies_still_choose_as_they_did():
    points = ticks(RegularSchedule(), START, 3)
    assert OnlyLatest()(points, None) == points[2:]
    assert OnlyEarliest()(points, None) == points[:1]
    assert OnlyLatest()([], None) == []


def test_equal_fields_make_equal_schedules_and_a_copy_is_one():
    schedule = RegularSchedule(0, {0, 30}, tzinfo="Europe/Berlin")
    assert schedule == RegularSchedule(0, {30, 0}, tzinfo=ZoneInfo("Europe/Berlin"))
    assert copy.deepcopy(schedule) == schedule
    assert schedule != RegularSchedule(0, {0})
