"""Any schedule against a brute-force walk, minute by minute, over days on which clocks change."""

# ruff: noqa: DTZ001 - naive: readings of a wall clock, and moments that must be refused

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from taskkit import CronSchedule, IntervalSchedule, RegularSchedule

MINUTE = timedelta(minutes=1)

# Zone and an instant shortly before it changes its offset.
CHANGES = [
    ("Europe/Berlin", datetime(2027, 3, 28, 1, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2027, 3, 14, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),  # half an hour
    ("Australia/Lord_Howe", datetime(2027, 4, 3, 15, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 3, 8, 5, tzinfo=UTC)),  # at midnight
    ("America/Havana", datetime(2026, 11, 1, 5, tzinfo=UTC)),
    ("America/St_Johns", datetime(2010, 11, 7, 2, 31, tzinfo=UTC)),  # back into the day before
    ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),  # a whole day is skipped
    ("UTC", datetime(2026, 1, 1, tzinfo=UTC)),
]


def some(low, high):
    values = st.integers(low, high)
    return st.one_of(st.just(None), values.map(lambda value: {value}), st.sets(values, min_size=1))


@st.composite
def tables(draw):
    """Return minutes, hours, days and weekdays, each a set or None for all."""
    minutes, hours = draw(some(0, 59)), draw(some(0, 23))
    return minutes, hours, *draw(st.sampled_from([(None, None), ("days", None), (None, "week")]))


@st.composite
def cases(draw):
    zone, change = draw(st.sampled_from(CHANGES))
    minutes, hours, by_day, by_weekday = draw(tables())
    shown = {(change + timedelta(days=n)).astimezone(ZoneInfo(zone)).day for n in (-1, 0, 1)}
    days = draw(st.sets(st.sampled_from(sorted(shown)), min_size=1)) if by_day else None
    weekdays = draw(st.sets(st.integers(0, 6), min_size=1)) if by_weekday else None
    return zone, change, minutes, hours, days, weekdays


def walk(zone, start, end, minutes, hours, days, weekdays):
    """Return what fires in (start, end], by looking at the wall clock every minute."""

    def listed(reading):
        return (
            (minutes is None or reading.minute in minutes)
            and (hours is None or reading.hour in hours)
            and (days is None or reading.day in days)
            and (weekdays is None or reading.weekday() in weekdays)
        )

    def is_all(values, count):
        return values is None or len(values) == count

    fixed = not is_all(minutes, 60) and not is_all(hours, 24)
    shown = lambda instant: instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    fired, highest = [], shown(start)
    # The furthest that the clock has ever shown, the repeated hour before the start included.
    for back in range(180):
        highest = max(highest, shown(start - back * MINUTE))
    instant = start
    while (instant := instant + MINUTE) <= end:
        reading = shown(instant)
        if fixed:
            passed = (highest + n * MINUTE for n in range(1, (reading - highest) // MINUTE + 1))
            hit = any(listed(each) for each in passed)
        else:
            hit = listed(reading)
        highest = max(highest, reading)
        if hit:
            fired.append(instant)
    return fired


def ticks(schedule, start, end):
    found, moment = [], start
    while (moment := schedule.next_after(moment)) is not None and moment.astimezone(UTC) <= end:
        found.append(moment.astimezone(UTC))
    return found


def as_cron(minutes, hours, days, weekdays):
    def listed(values):
        return "*" if values is None else ",".join(map(str, sorted(values)))

    sunday_first = None if weekdays is None else {(day + 1) % 7 for day in weekdays}
    fields = (minutes, hours, days, None, sunday_first)
    return " ".join(listed(values) for values in fields)


@settings(max_examples=60, deadline=None)
@given(case=cases(), offset=st.integers(-2 * 1440, 1440))
def test_a_regular_schedule_fires_when_a_look_at_the_clock_says_so(case, offset):
    zone, change, minutes, hours, days, weekdays = case
    start = change + offset * MINUTE
    end = start + timedelta(days=1, hours=8)
    schedule = RegularSchedule(0, minutes, hours, days, weekdays, tzinfo=zone)
    assert ticks(schedule, start, end) == walk(zone, start, end, minutes, hours, days, weekdays)


@settings(max_examples=60, deadline=None)
@given(case=cases(), offset=st.integers(-2 * 86400, 86400))
def test_cron_and_regular_agree(case, offset):
    zone, change, minutes, hours, days, weekdays = case
    start = change + timedelta(seconds=offset)
    end = start + timedelta(days=1)
    regular = RegularSchedule(0, minutes, hours, days, weekdays, tzinfo=zone)
    cron = CronSchedule(as_cron(minutes, hours, days, weekdays), zone)
    assert ticks(cron, start, end) == ticks(regular, start, end)


moments = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
fields = st.tuples(some(0, 59), some(0, 59), some(0, 23), some(1, 28), some(0, 6), some(1, 12))
schedules = st.one_of(
    st.builds(
        lambda values, zone: RegularSchedule(*values, tzinfo=zone),
        fields,
        st.sampled_from([zone for zone, _ in CHANGES]),
    ),
    st.builds(IntervalSchedule, st.timedeltas(timedelta(microseconds=1), timedelta(days=400))),
)


@settings(max_examples=200, deadline=None)
@given(schedule=schedules, moment=moments)
def test_ticks_strictly_increase_and_none_lies_between_two(schedule, moment):
    tick = schedule.next_after(moment).astimezone(UTC)
    assert tick > moment
    between = moment + (tick - moment) / 2
    if between < tick:
        assert schedule.next_after(between).astimezone(UTC) == tick
    assert schedule.next_after(tick - timedelta(microseconds=1)).astimezone(UTC) == tick
    assert schedule.next_after(tick).astimezone(UTC) > tick
