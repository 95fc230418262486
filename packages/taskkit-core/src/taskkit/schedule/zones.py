"""From local time to instants: the one rule for the days on which clocks change.

A time-table is a list of readings of a wall clock. Schedules at *fixed* times of the day fire when
the clock first shows the reading, or, where it jumps over it, first shows more; so each fires once
a local day. Schedules that follow *elapsed* time fire whenever the clock shows the reading: never
in an hour that is skipped, twice in an hour that is repeated.

Everything here asks a zone only "what is your offset at this instant", so it is right for every
``tzinfo`` that converts from UTC correctly, and needs no ``fold``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial
from typing import Final, TypeAlias

from taskkit.errors import InvalidSchedule
from taskkit.schedule.protocol import check_aware

Zone: TypeAlias = tzinfo | str | None
"""A zone, its name, or None for "the zone in which one is asked"."""

NextReading: TypeAlias = Callable[[datetime], datetime | None]
"""Returns the first reading (a naive datetime, whole seconds) strictly after another."""

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
# No zone changes its offset and back within a week.
_STRIDE: Final = timedelta(days=7)
_OFFSET: Final = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?")


def next_at(
    moment: datetime, tz: tzinfo | None, next_reading: NextReading, *, fixed: bool
) -> datetime | None:
    """Return the first tick strictly after ``moment``, in ``tz`` or else in the moment's zone.

    Args:
        moment: Aware.
        tz: The zone of the wall clock.
        next_reading: The time-table.
        fixed: Which half of the rule applies.

    Raises:
        InvalidSchedule: ``moment`` is naive.
    """
    check_aware("moment", moment)
    zone = moment.tzinfo if tz is None else tz
    assert zone is not None
    follow = _next_fixed if fixed else _next_elapsed
    try:
        tick = follow(moment.astimezone(UTC), zone, next_reading)
    except OverflowError:  # beyond the year 9999
        return None
    return None if tick is None else tick.astimezone(zone)


def _next_fixed(utc: datetime, tz: tzinfo, next_reading: NextReading) -> datetime | None:
    reading = _reading(utc, tz)
    first = _first_shown(reading, tz)
    if first < utc:
        # The clock went back and shows this for the second time: all readings of the repeated
        # stretch are behind us, so go on from its end.
        change = _next_change(first, utc, tz)
        assert change is not None
        reading = (change + _offset(first, tz)).replace(tzinfo=None) - _SECOND
    following = next_reading(reading)
    return None if following is None else _first_shown(following, tz)


def _next_elapsed(utc: datetime, tz: tzinfo, next_reading: NextReading) -> datetime | None:
    reading = _reading(utc, tz)
    while (following := next_reading(reading)) is not None:
        tick = following.replace(tzinfo=UTC) - _offset(utc, tz)
        change = _next_change(utc, tick, tz)
        if change is None:
            return tick
        utc = change
        reading = _reading(change, tz) - _SECOND  # what the changed clock shows first counts too
    return None


def _first_shown(reading: datetime, tz: tzinfo) -> datetime:
    """Return the first instant at which the clock shows ``reading`` or more."""
    around = reading.replace(tzinfo=UTC)
    before, after = _offset(around - _DAY, tz), _offset(around + _DAY, tz)
    low, high = around - max(before, after), around - min(before, after)
    # In an overlap this is the first of the two; behind it the clock may show less again.
    if _reading(low, tz) >= reading:
        return low
    # In a gap, or where the clock has already changed, more and more is shown up to `high`.
    return low + _SECOND * _first_true(
        (high - low) // _SECOND, lambda later: _reading(low + _SECOND * later, tz) >= reading
    )


def _next_change(utc: datetime, until: datetime, tz: tzinfo) -> datetime | None:
    """Return the first instant in (utc, until] with another offset than at ``utc``, or None."""
    start = utc.replace(microsecond=0)  # offsets change at whole seconds
    offset = _offset(utc, tz)
    stop = start
    while stop < until:
        start, stop = stop, min(stop + _STRIDE, until)
        if _offset(stop, tz) != offset:
            return start + _SECOND * _first_true(
                -(-(stop - start) // _SECOND), partial(_differs, start, offset, tz)
            )
    return None


def _differs(start: datetime, offset: timedelta, tz: tzinfo, seconds: int) -> bool:
    return _offset(start + _SECOND * seconds, tz) != offset


def _first_true(last: int, holds: Callable[[int], bool]) -> int:
    """Return the least number up to ``last`` for which ``holds``, given that it does for last."""
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _offset(utc: datetime, tz: tzinfo) -> timedelta:
    offset = utc.astimezone(tz).utcoffset()
    assert offset is not None
    return offset


def _reading(utc: datetime, tz: tzinfo) -> datetime:
    return utc.astimezone(tz).replace(tzinfo=None)


# ---- zones by name


def load_zone(zone: Zone) -> tzinfo | None:
    """Return a zone from its IANA name (``"Europe/Berlin"``), ``"UTC"`` or ``"+09:00"``.

    A ``tzinfo`` and None are returned as they are.

    Raises:
        InvalidSchedule: the name is not known, or this machine has no time zone database.
    """
    if zone is None or isinstance(zone, tzinfo):
        return zone
    if not isinstance(zone, str):
        raise InvalidSchedule(
            f"time zone: expected a tzinfo or a name such as 'Europe/Berlin', found {zone!r}"
        )
    if zone == "UTC":
        return UTC
    if offset := _OFFSET.fullmatch(zone):
        return _fixed_zone(zone, offset)
    return _named_zone(zone)


def _fixed_zone(text: str, offset: re.Match[str]) -> timezone:
    sign, hours, minutes, seconds = offset.groups(default="0")
    east = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    if int(minutes) > 59 or int(seconds) > 59 or east >= _DAY:
        raise InvalidSchedule(f"time zone: expected less than 24 hours, found {text!r}")
    return timezone(-east if sign == "-" else east)


def _named_zone(name: str) -> tzinfo:
    # Imported here because most programs need no zone but UTC, and this reads files.
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if not available_timezones():
            raise InvalidSchedule(
                f"time zone {name!r}: this machine has no time zone database; install tzdata "
                "('pip install tzdata', or the system's package of that name)"
            ) from error
        raise InvalidSchedule(
            f"time zone: expected an IANA name such as 'Europe/Berlin', or an offset such as "
            f"'+09:00', found {name!r}"
        ) from error


def zone_name(zone: tzinfo) -> str:
    """Return the name from which ``load_zone`` makes the same zone again.

    Raises:
        InvalidSchedule: the zone is neither of ``zoneinfo`` nor a fixed offset.
    """
    if zone is UTC:
        return "UTC"
    if isinstance(zone, timezone):
        return _offset_name(zone.utcoffset(None))
    key = getattr(zone, "key", None)
    if isinstance(key, str):
        return key
    raise InvalidSchedule(
        f"time zone: expected zoneinfo.ZoneInfo('…') or a fixed datetime.timezone, because only "
        f"those can be stored, found {zone!r}"
    )


def _offset_name(offset: timedelta) -> str:
    if offset % _SECOND:
        raise InvalidSchedule(f"time zone: expected an offset of whole seconds, found {offset}")
    sign, seconds = ("-", -offset) if offset < timedelta() else ("+", offset)
    minutes, rest = divmod(seconds // _SECOND, 60)
    text = f"{sign}{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{rest:02}" if rest else text
