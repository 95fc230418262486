"""SCH-08, SCH-11: the days on which clocks change, for both kinds of schedule and both rules.

docs/schedules.md shows these dates; whoever changes one changes both.
"""

# ruff: noqa: DTZ001 - naive: readings of a wall clock, and moments that must be refused

from __future__ import annotations

import sys
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from taskkit import CronSchedule, InvalidSchedule, RegularSchedule
from taskkit.schedule.zones import load_zone, zone_name

BERLIN_GAP = ("Europe/Berlin", datetime(2027, 3, 28))  # 02:00+01:00 becomes 03:00+02:00
BERLIN_OVERLAP = ("Europe/Berlin", datetime(2026, 10, 25))  # 03:00+02:00 becomes 02:00+01:00
NEW_YORK_GAP = ("America/New_York", datetime(2027, 3, 14))  # 02:00-05:00 becomes 03:00-04:00
NEW_YORK_OVERLAP = ("America/New_York", datetime(2026, 11, 1))  # 02:00-04:00 becomes 01:00-05:00


def day(schedule, zone, midnight):
    """Return what fires on a local day, midnight included, as HH:MM and offset."""
    moment = midnight.replace(tzinfo=ZoneInfo(zone)) - timedelta(microseconds=1)
    found = []
    while (moment := schedule.next_after(moment)) is not None and moment.date() == midnight.date():
        found.append(moment.strftime("%H:%M%z")[:8])
    return found


# When the clock shows one hour twice or never, these are: the readings "fixed daily" asks for, and
# what happens to it, to a list of hours, and to a whole-hour wildcard.
FIXED_DAILY = [
    (BERLIN_GAP, "30 2 * * *", ["03:00+02"]),
    (BERLIN_GAP, "0 3 * * *", ["03:00+02"]),
    (BERLIN_OVERLAP, "30 2 * * *", ["02:30+02"]),
    (BERLIN_OVERLAP, "0 2 * * *", ["02:00+02"]),
    (BERLIN_OVERLAP, "0 3 * * *", ["03:00+01"]),
    (NEW_YORK_GAP, "30 2 * * *", ["03:00-04"]),
    (NEW_YORK_GAP, "0 3 * * *", ["03:00-04"]),
    (NEW_YORK_OVERLAP, "30 1 * * *", ["01:30-04"]),
    (NEW_YORK_OVERLAP, "0 1 * * *", ["01:00-04"]),
    (NEW_YORK_OVERLAP, "0 2 * * *", ["02:00-05"]),
]
HOUR_LISTS = [
    (BERLIN_GAP, "0 1,2,3,4 * * *", ["01:00+01", "03:00+02", "04:00+02"]),
    (BERLIN_GAP, "15,45 1,2,3 * * *", ["01:15+01", "01:45+01", "03:00+02", "03:15+02", "03:45+02"]),
    (BERLIN_OVERLAP, "0 1,2,3 * * *", ["01:00+02", "02:00+02", "03:00+01"]),
    (BERLIN_OVERLAP, "15,45 2,3 * * *", ["02:15+02", "02:45+02", "03:15+01", "03:45+01"]),
    (NEW_YORK_GAP, "0 1,2,3,4 * * *", ["01:00-05", "03:00-04", "04:00-04"]),
    (NEW_YORK_OVERLAP, "0 0,1,2 * * *", ["00:00-04", "01:00-04", "02:00-05"]),
]
BY_ELAPSED_TIME = [
    # every hour at :15: no 02:15 in the gap, two in the overlap
    (BERLIN_GAP, "15 * * * *", (1, 2, 4), ["01:15+01", "03:15+02", "04:15+02"]),
    (BERLIN_OVERLAP, "15 * * * *", (1, 2, 4), ["01:15+02", "02:15+02", "02:15+01", "03:15+01"]),
    (NEW_YORK_GAP, "15 * * * *", (1, 2, 4), ["01:15-05", "03:15-04", "04:15-04"]),
    (NEW_YORK_OVERLAP, "15 * * * *", (0, 1, 2), ["00:15-04", "01:15-04", "01:15-05", "02:15-05"]),
]


def as_regular(expression, zone):
    """Return the RegularSchedule of an expression that restricts minutes and hours only."""
    minutes, hours, *_ = expression.split()
    read = lambda text: "*" if text == "*" else {int(each) for each in text.split(",")}
    return RegularSchedule(minutes=read(minutes), hours=read(hours), tzinfo=zone)


@pytest.mark.parametrize(("change", "expression", "fired"), FIXED_DAILY + HOUR_LISTS)
def test_fixed_times_fire_once_a_local_day(change, expression, fired):
    zone, midnight = change
    assert day(CronSchedule(expression, zone), zone, midnight) == fired
    assert day(as_regular(expression, zone), zone, midnight) == fired


@pytest.mark.parametrize(("change", "expression", "hours", "fired"), BY_ELAPSED_TIME)
def test_an_hourly_entry_follows_elapsed_time(change, expression, hours, fired):
    zone, midnight = change
    for schedule in (CronSchedule(expression, zone), as_regular(expression, zone)):
        every = day(schedule, zone, midnight)
        assert [
            tick for tick in every if int(tick[:2]) in {int(each[:2]) for each in fired}
        ] == fired


@pytest.mark.parametrize(
    ("change", "hours"),
    [(BERLIN_GAP, 23), (BERLIN_OVERLAP, 25), (NEW_YORK_GAP, 23), (NEW_YORK_OVERLAP, 25)],
)
@pytest.mark.parametrize(("minutes", "an_hour"), [("*", 60), ("0,30", 2)])
def test_minute_level_entries_fire_evenly_through_the_change(change, hours, minutes, an_hour):
    zone, midnight = change
    expression = f"{minutes} * * * *"
    for schedule in (CronSchedule(expression, zone), as_regular(expression, zone)):
        moment = midnight.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for _ in range(hours * an_hour):
            following = schedule.next_after(moment).astimezone(UTC)
            assert following - moment == timedelta(hours=1) / an_hour
            moment = following
        assert moment.astimezone(ZoneInfo(zone)).date() == midnight.date() + timedelta(days=1)


@pytest.mark.parametrize(
    ("change", "expression", "minutes"),
    [(BERLIN_GAP, "* 2 * * *", 0), (BERLIN_OVERLAP, "* 2 * * *", 120)]
    + [(NEW_YORK_GAP, "* 2 * * *", 0), (NEW_YORK_OVERLAP, "* 1 * * *", 120)],
)
def test_every_minute_of_an_hour_is_a_stretch_of_time(change, expression, minutes):
    zone, midnight = change
    assert len(day(CronSchedule(expression, zone), zone, midnight)) == minutes
    assert len(day(as_regular(expression, zone), zone, midnight)) == minutes


@pytest.mark.parametrize("change", [BERLIN_GAP, BERLIN_OVERLAP, NEW_YORK_GAP, NEW_YORK_OVERLAP])
def test_a_daily_entry_fires_once_on_each_day_of_the_week_around(change):
    zone, midnight = change
    for hour in range(24):
        moment = (midnight - timedelta(days=3)).replace(tzinfo=ZoneInfo(zone))
        schedule = RegularSchedule(minutes=30, hours=hour, tzinfo=zone)
        dates = []
        for _ in range(7):
            moment = schedule.next_after(moment)
            dates.append(moment.date())
        assert dates == [midnight.date() + timedelta(days=n) for n in range(-3, 4)]


def test_asked_in_the_second_pass_of_the_hour_a_fixed_entry_waits_for_tomorrow():
    second_pass = datetime(2026, 10, 25, 2, 10, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    tick = RegularSchedule(minutes=30, hours=2).next_after(second_pass)
    assert tick.isoformat() == "2026-10-26T02:30:00+01:00"


def test_a_moment_that_does_not_exist_is_taken_as_the_instant_it_names():
    gap = datetime(2027, 3, 28, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))  # 01:30 UTC, 03:30 local
    assert RegularSchedule(minutes=0).next_after(gap).isoformat() == "2027-03-28T04:00:00+02:00"


def test_a_day_that_a_zone_skipped_fires_at_the_first_instant_after_it():
    apia = ZoneInfo("Pacific/Apia")  # there was no 30 December 2011
    noon = RegularSchedule(minutes=0, hours=12, tzinfo=apia)
    moment = datetime(2011, 12, 29, 13, tzinfo=apia)
    found = [moment := noon.next_after(moment) for _ in range(3)]
    assert [each.isoformat() for each in found] == [
        "2011-12-31T00:00:00+14:00",
        "2011-12-31T12:00:00+14:00",
        "2012-01-01T12:00:00+14:00",
    ]


class FromUtcOnly(tzinfo):
    """A zone as pytz makes them: right from UTC, of no use the other way."""

    def __init__(self):
        self.zone = ZoneInfo("Europe/Berlin")
        self.offset = timedelta(minutes=53)

    def fromutc(self, moment):
        shown = moment.replace(tzinfo=UTC).astimezone(self.zone)
        localized = FromUtcOnly()
        localized.offset = shown.utcoffset()
        return shown.replace(tzinfo=localized)

    def utcoffset(self, moment):
        return self.offset

    def dst(self, moment):
        return None

    def tzname(self, moment):
        return "as pytz"


def test_zones_that_only_know_the_way_from_utc_are_enough():
    tick = RegularSchedule(minutes=30, hours=2, tzinfo=FromUtcOnly()).next_after(
        datetime(2026, 10, 24, 12, tzinfo=UTC)
    )
    assert tick.astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


# ---- zones by name


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "+09:00", "-03:30", "+00:19:32"])
def test_a_name_makes_the_zone_and_the_zone_the_name(name):
    assert zone_name(load_zone(name)) == name


@pytest.mark.parametrize(
    "name", ["Europe/Atlantis", "", "../../etc/passwd", "Europe", "\0", "+25:00", "+01:75", 9]
)
def test_what_names_no_zone_is_refused(name):
    with pytest.raises(InvalidSchedule, match="time zone: expected"):
        CronSchedule("* * * * *", name)


@pytest.mark.parametrize("zone", [FromUtcOnly(), timezone(timedelta(microseconds=5))])
def test_a_zone_without_a_name_cannot_be_stored(zone):
    with pytest.raises(InvalidSchedule, match="time zone: expected"):
        zone_name(zone)


@pytest.fixture
def no_zone_database(monkeypatch):
    # Its parts, too: another test may have had a zone read from them.
    for name in {"tzdata", *(name for name in sys.modules if name.startswith("tzdata."))}:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()


def test_without_a_zone_database_the_error_says_what_to_install(no_zone_database):
    with pytest.raises(InvalidSchedule, match="install tzdata"):
        RegularSchedule(tzinfo="Europe/Berlin")
