"""Which readings of clock and calendar belong to a time-table, without any time zone."""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final

# 29 February on a given weekday comes back after 40 years at the latest (round 2100).
SEARCHED_YEARS: Final = 41
_LAST_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True, slots=True)
class Readings:
    """Readings given by their fields: each a sorted, non-empty tuple of allowed values."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    weekdays: tuple[int, ...]
    """As ``datetime.weekday``: 0 is Monday."""
    months: tuple[int, ...]

    @property
    def possible(self) -> bool:
        """Whether any month has one of the days."""
        return any(self.days[0] <= _LAST_DAYS[month - 1] for month in self.months)

    @property
    def fixed(self) -> bool:
        """Whether these are fixed times of the day (see ``taskkit.schedule.zones``)."""
        return is_fixed(len(self.minutes), len(self.hours))

    def next_after(self, reading: datetime) -> datetime | None:
        """Return the first of these readings strictly after ``reading``, both naive."""
        if self._has(reading.date()):
            later = self._next_time(reading.hour, reading.minute, reading.second)
            if later is not None:
                return datetime.combine(reading, later)
        day = next(self._dates_after(reading.date()), None)
        if day is None:
            return None
        return datetime.combine(day, time(self.hours[0], self.minutes[0], self.seconds[0]))

    def _next_time(self, hour: int, minute: int, second: int) -> time | None:
        if hour in self.hours:
            if minute in self.minutes:
                later = _next_value(self.seconds, second)
                if later is not None:
                    return time(hour, minute, later)
            later = _next_value(self.minutes, minute)
            if later is not None:
                return time(hour, later, self.seconds[0])
        later = _next_value(self.hours, hour)
        return None if later is None else time(later, self.minutes[0], self.seconds[0])

    def _has(self, day: date) -> bool:
        return day.month in self.months and day.day in self.days and day.weekday() in self.weekdays

    def _dates_after(self, start: date) -> Iterator[date]:
        for year in range(start.year, min(start.year + SEARCHED_YEARS, date.max.year + 1)):
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                last = monthrange(year, month)[1]
                for number in self.days:
                    if number > last:
                        break
                    day = date(year, month, number)
                    if day > start and day.weekday() in self.weekdays:
                        yield day


def is_fixed(minutes: int, hours: int) -> bool:
    """Return whether so many minutes of so many hours are fixed times of the day.

    They are if neither is unrestricted. "Every minute from 2 to 3" is a stretch of time, of which
    there is none or twice as much when the clocks change; "at 2:00 and 2:30" are two appointments.
    """
    return minutes < 60 and hours < 24


def _next_value(values: tuple[int, ...], value: int) -> int | None:
    place = bisect_right(values, value)
    return values[place] if place < len(values) else None
