"""``IntervalSchedule``: every so often, by elapsed time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from taskkit.clock import micros, to_datetime, to_instant
from taskkit.errors import InvalidSchedule
from taskkit.limits import MAX_DURATION
from taskkit.schedule.protocol import check_aware
from taskkit.shown import shown

ORIGIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Where intervals without a start are counted from, so that all schedulers agree: a Saturday."""


@dataclass(frozen=True, slots=True)
class IntervalSchedule:
    """Fires at ``start`` and then every ``every``, by elapsed time, whatever clocks on walls do.

    Raises:
        InvalidSchedule: ``every`` is not from a microsecond to a hundred years, or ``start`` or
            ``end`` has no time zone.
    """

    every: timedelta | float
    """A timedelta, or seconds; microseconds count."""
    start: datetime | None = None
    """The first tick. Without it there is no first one, and the ticks are a whole number of
    intervals away from 2000-01-01 00:00 UTC."""
    end: datetime | None = None
    """No tick after this; one exactly here still fires."""
    _every: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_every", _microseconds(self.every))
        if self.start is not None:
            check_aware("start", self.start)
        if self.end is not None:
            check_aware("end", self.end)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first tick strictly after ``moment``, in its zone, or None after the end."""
        check_aware("moment", moment)
        instant = to_instant(moment)
        origin = to_instant(ORIGIN if self.start is None else self.start)
        if self.start is not None and instant < origin:
            tick = origin
        else:
            tick = instant + self._every - (instant - origin) % self._every
        if self.end is not None and tick > to_instant(self.end):
            return None
        try:
            return to_datetime(tick, moment.tzinfo or UTC)
        except OverflowError:  # beyond the year 9999
            return None


def _microseconds(every: object) -> int:
    number = every.total_seconds() if isinstance(every, timedelta) else every
    if (
        isinstance(number, int | float)
        and not isinstance(number, bool)
        and 0 < number <= MAX_DURATION
        and isinstance(every, timedelta | int | float)
        and (length := micros(every)) > 0
    ):
        return length
    raise InvalidSchedule(
        "every: expected a timedelta or seconds, from a microsecond to a hundred years, "
        f"found {shown(every)}"
    )
