"""Days on which clocks change: when entries fire then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from taskkit import CronSchedule, IntervalSchedule, RegularSchedule
from taskkit.clock import SECOND, to_instant
from taskkit.schedule.scheduler import Scheduler
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.verbs import entry, ticks_of

_MINUTE = 60 * SECOND


# ---- clocks that change

_Change = tuple[str, datetime, datetime]

# A zone, the local day, and the instant at which its clock changes.
_GAPS: list[_Change] = [
    ("Europe/Berlin", datetime(2027, 3, 28), datetime(2027, 3, 28, 1)),  # noqa: DTZ001 - of the wall
    ("America/New_York", datetime(2027, 3, 14), datetime(2027, 3, 14, 7)),  # noqa: DTZ001 - of the wall
]
_OVERLAPS: list[_Change] = [
    ("Europe/Berlin", datetime(2026, 10, 25), datetime(2026, 10, 25, 1)),  # noqa: DTZ001 - of the wall
    ("America/New_York", datetime(2026, 11, 1), datetime(2026, 11, 1, 6)),  # noqa: DTZ001 - of the wall
]
_CHANGES = st.sampled_from([*_GAPS, *_OVERLAPS])


def _fixed(change: _Change, hour: int, minute: int) -> datetime:
    """Return when a daily entry fires on that day.

    At the first instant at which the clock shows the time, or, where it never does, at the first
    one after the gap.
    """
    zone, day, instant = change
    local = day.replace(hour=hour, minute=minute, tzinfo=ZoneInfo(zone))
    shown = local.astimezone(UTC).astimezone(ZoneInfo(zone))
    exists = (shown.hour, shown.minute) == (hour, minute)
    return local.astimezone(UTC) if exists else instant.replace(tzinfo=UTC)


def _day(change: _Change) -> tuple[datetime, datetime]:
    """Return the midnights at which that local day begins and ends."""
    zone, day, _ = change
    begin, end = (each.replace(tzinfo=ZoneInfo(zone)) for each in (day, day + timedelta(days=1)))
    return begin.astimezone(UTC), end.astimezone(UTC)


def _hours(change: _Change) -> st.SearchStrategy[int]:
    # Near the change above all.
    critical = change[2].replace(tzinfo=UTC).astimezone(ZoneInfo(change[0])).hour
    near = [hour % 24 for hour in range(critical - 2, critical + 3)]
    return st.sampled_from(near) | st.integers(0, 23)


def _schedule(case: Case, zone: str, minutes: str, hours: str) -> Any:
    if case.draw(st.booleans()):
        return CronSchedule(f"{minutes} {hours} * * *", zone)
    return RegularSchedule(minutes=_read(minutes), hours=_read(hours), tzinfo=zone)


def _read(text: str) -> set[int] | None:
    return None if text == "*" else {int(each) for each in text.split(",")}


def _fired(schedule: Any, begin: datetime, end: datetime) -> list[datetime]:
    fired: list[datetime] = []
    moment = begin - timedelta(microseconds=1)
    while (moment := schedule.next_after(moment).astimezone(UTC)) < end:
        fired.append(moment)
    return fired


@proves("SCH-08", "SCH-11")
def a_daily_entry_fires_once_on_the_day_of_a_change(case: Case) -> None:
    """At its time; in a gap at the first instant after it, in an overlap at the first of two."""
    change = case.draw(_CHANGES)
    hour, minute = case.draw(_hours(change)), case.draw(st.sampled_from([0, 15, 30, 59]))
    schedule = _schedule(case, change[0], str(minute), str(hour))
    what = f"when {hour:02}:{minute:02} in {change[0]} fires on {change[1]:%d %b %Y}, in UTC"
    case.equal(_fired(schedule, *_day(change)), [_fixed(change, hour, minute)], what)


@proves("SCH-08", "SCH-11")
def several_fixed_hours_fire_once_each(case: Case) -> None:
    """Those that the clock never shows as one, at the first instant after the gap."""
    change = case.draw(_CHANGES)
    hours = sorted(case.draw(st.sets(_hours(change), min_size=2, max_size=4)))
    minute = case.draw(st.sampled_from([0, 30]))
    schedule = _schedule(case, change[0], str(minute), ",".join(map(str, hours)))
    expected = sorted({_fixed(change, hour, minute) for hour in hours})
    what = f"when hours {hours} at :{minute:02} in {change[0]} fire on {change[1]:%d %b %Y}"
    case.equal(_fired(schedule, *_day(change)), expected, what)


@proves("SCH-08", "SCH-11")
def entries_of_the_minute_follow_elapsed_time(case: Case) -> None:
    """Every so many minutes, evenly through a gap and an overlap; and intervals."""
    # Seldom each minute: a day of it takes as long as all other examples.
    minutes = case.draw(st.sampled_from(["0", "0,30", "0", "0,20,40", "0", "0,30", "*"]))
    step = {"0": 60, "0,30": 30, "0,20,40": 20, "*": 1}[minutes]
    for change in (case.draw(st.sampled_from(_GAPS)), case.draw(st.sampled_from(_OVERLAPS))):
        begin, end = _day(change)
        count = round((end - begin).total_seconds()) // (60 * step)
        expected = [begin + timedelta(minutes=step * n) for n in range(count)]
        schedules = (IntervalSchedule(step * 60), _schedule(case, change[0], minutes, "*"))
        for schedule in schedules:
            found = _fired(schedule, begin, end)
            what = f"how often minutes {minutes} in {change[0]} fire on {change[1]:%d %b %Y}"
            case.equal(len(found), count, what)
            case.require(found == expected, "they fire evenly", found=found[:100])


@proves("SCH-11")
def the_scheduler_puts_the_ticks_of_a_change(case: Case) -> None:
    """One task for a daily entry, one an hour for an hourly one, with the tick as its due."""
    change = case.draw(_CHANGES)
    hour = case.draw(_hours(change))
    begin, end = _day(change)
    entries = [
        entry("daily", _schedule(case, change[0], "30", str(hour)), missed="all"),
        entry("hourly", _schedule(case, change[0], "0", "*"), missed="all"),
    ]
    case.clock.set(to_instant(begin) - 10 * SECOND)
    Scheduler(case.backend, "s", entries, ZoneInfo(change[0])).step()
    stop = to_instant(end) - 10 * SECOND
    while case.clock.now() < stop:
        case.clock.set(min(stop, case.clock.now() + case.draw(st.integers(1, 12)) * 60 * _MINUTE))
        Scheduler(case.backend, "s", entries, ZoneInfo(change[0])).step()
    daily = to_instant(_fixed(change, hour, 30))
    case.equal(ticks_of(case, "daily"), [daily], f"the ticks of {hour:02}:30 in {change[0]}")
    hourly = list(range(to_instant(begin), to_instant(end), 60 * _MINUTE))
    case.equal(ticks_of(case, "hourly"), hourly, f"the hourly ticks in {change[0]}")
