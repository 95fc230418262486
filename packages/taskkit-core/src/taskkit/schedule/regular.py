"""``RegularSchedule``: a time-table given by the fields of clock and calendar."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from taskkit.errors import InvalidSchedule
from taskkit.schedule.calendar import Readings
from taskkit.schedule.missed import DuplicationPolicy, OnlyLatest
from taskkit.schedule.zones import Zone, load_zone, next_at

FieldValue: TypeAlias = Literal["*"] | int | Collection[int] | None
"""One value, several, or all of them (``"*"`` or None)."""


@dataclass(frozen=True, slots=True)
class RegularSchedule:
    """Fires whenever clock and calendar show one of the allowed values in each field.

    ``RegularSchedule(seconds={0}, minutes={0, 30})`` fires twice an hour. On the days on which
    clocks change it follows the rule in docs/schedules.md.

    Raises:
        InvalidSchedule: a field holds a value outside its range, or no month has such a day.
    """

    seconds: FieldValue = field(default=0, hash=False)
    """0–59."""
    minutes: FieldValue = field(default=None, hash=False)
    """0–59."""
    hours: FieldValue = field(default=None, hash=False)
    """0–23."""
    days: FieldValue = field(default=None, hash=False)
    """Days of the month, 1–31."""
    weekdays: FieldValue = field(default=None, hash=False)
    """As ``datetime.weekday``: 0 is Monday, 6 is Sunday."""
    months: FieldValue = field(default=None, hash=False)
    """1–12."""
    tzinfo: Zone = None
    """A zone or its name; without one, the zone in which the schedule is asked."""
    duplication_policy: DuplicationPolicy = field(default_factory=OnlyLatest)
    """What happens to ticks that were missed, unless the entry says so itself (``missed``)."""
    _readings: Readings = field(init=False, repr=False)

    def __post_init__(self) -> None:
        readings = Readings(
            seconds=_values("seconds", self.seconds, 0, 59),
            minutes=_values("minutes", self.minutes, 0, 59),
            hours=_values("hours", self.hours, 0, 23),
            days=_values("days", self.days, 1, 31),
            weekdays=_values("weekdays", self.weekdays, 0, 6),
            months=_values("months", self.months, 1, 12),
        )
        if not readings.possible:
            raise InvalidSchedule(
                f"days {list(readings.days)} in months {list(readings.months)}: expected at least "
                "one date that exists, found none; this schedule would never fire"
            )
        if not callable(self.duplication_policy):
            raise InvalidSchedule(
                "duplication_policy: expected OnlyLatest(), OnlyEarliest() or a callable, found "
                f"{self.duplication_policy!r}"
            )
        object.__setattr__(self, "tzinfo", load_zone(self.tzinfo))
        object.__setattr__(self, "_readings", readings)

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first tick strictly after ``moment``; None if there is none to be found."""
        zone = load_zone(self.tzinfo)
        return next_at(moment, zone, self._readings.next_after, fixed=self._readings.fixed)


def _values(name: str, value: object, low: int, high: int) -> tuple[int, ...]:
    if value is None or value == "*":
        return tuple(range(low, high + 1))
    given = value if isinstance(value, Collection) and not isinstance(value, str) else [value]
    numbers = [
        each
        for each in given
        if isinstance(each, int) and not isinstance(each, bool) and low <= each <= high
    ]
    if not given or len(numbers) < len(given):
        raise InvalidSchedule(
            f"{name}: expected '*', a whole number from {low} to {high} or a set of such, "
            f"found {value!r}"
        )
    return tuple(sorted(set(numbers)))
