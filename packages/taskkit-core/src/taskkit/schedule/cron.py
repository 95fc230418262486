"""``CronSchedule``: the five fields of cron, with seconds where wanted, parsed by cronsim."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from taskkit.clock import to_instant
from taskkit.errors import InvalidSchedule
from taskkit.schedule.calendar import is_fixed
from taskkit.schedule.protocol import check_aware
from taskkit.schedule.zones import Zone, load_zone, next_at

if TYPE_CHECKING:
    from cronsim import CronSim

NICKNAMES: Final = MappingProxyType(
    {
        "@yearly": "0 0 1 1 *",
        "@annually": "0 0 1 1 *",
        "@monthly": "0 0 1 * *",
        "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *",
        "@midnight": "0 0 * * *",
        "@hourly": "0 * * * *",
    }
)

# In the order of six fields, with what each takes.
_FIELDS: Final = (
    ("second", "0-59", "*/10"),
    ("minute", "0-59", "*/5"),
    ("hour", "0-23", "9-17"),
    ("day of month", "1-31, L for the last, LW for the last weekday", "1,15"),
    ("month", "1-12 or JAN-DEC", "JAN"),
    ("day of week", "0-7 or SUN-SAT (0 and 7 are Sunday), 5L, FRI#2", "MON-FRI"),
)
_ANY_DAY: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - a reading of the calendar, without zone
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """Fires as cron would: minute, hour, day of month, month, day of week.

    Six fields begin with the second. If day of month and day of week are both restricted, either
    suffices, as in cron. ``@hourly``, ``@daily``, ``@midnight``, ``@weekly``, ``@monthly``,
    ``@yearly`` and ``@annually`` are understood. On the days on which clocks change it follows the
    rule in docs/schedules.md.

    Raises:
        InvalidSchedule: the expression cannot be understood or would never fire, or ``start`` or
            ``end`` has no time zone.
    """

    expression: str
    tz: Zone = None
    """A zone or its name; without one, the zone in which the schedule is asked."""
    start: datetime | None = field(default=None, kw_only=True)
    """No tick before this; one exactly here fires."""
    end: datetime | None = field(default=None, kw_only=True)
    """No tick after this; one exactly here still fires."""
    _fields: str = field(init=False, repr=False)
    _fixed: bool = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fields = _normalised(self.expression)
        parsed = _parse(fields, self.expression)
        object.__setattr__(self, "_fields", fields)
        object.__setattr__(self, "_fixed", is_fixed(len(parsed.minutes), len(parsed.hours)))
        object.__setattr__(self, "tz", load_zone(self.tz))
        if self.start is not None:
            check_aware("start", self.start)
        if self.end is not None:
            check_aware("end", self.end)
        if self._next_reading(_ANY_DAY) is None:
            raise InvalidSchedule(
                f"cron expression {self.expression!r}: expected at least one date that exists, "
                "found none; this schedule would never fire"
            )

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first tick strictly after ``moment``, or None after the end."""
        check_aware("moment", moment)
        if self.start is not None and to_instant(moment) < to_instant(self.start):
            before = self.start.astimezone(UTC) - _MICROSECOND
            moment = before.astimezone(moment.tzinfo)
        tick = next_at(moment, load_zone(self.tz), self._next_reading, fixed=self._fixed)
        if tick is None or (self.end is not None and to_instant(tick) > to_instant(self.end)):
            return None
        return tick

    def _next_reading(self, reading: datetime) -> datetime | None:
        from cronsim import CronSim

        # Given a naive datetime, cronsim applies none of its own rules for changing clocks. It
        # gives up after fifty years.
        return next(CronSim(self._fields, reading), None)


def _normalised(expression: object) -> str:
    if not isinstance(expression, str):
        raise InvalidSchedule(
            f"cron expression: expected text such as '*/5 * * * *', found {expression!r}"
        )
    text = expression.strip()
    if not text.startswith("@"):
        return text
    if text.lower() == "@reboot":
        raise InvalidSchedule(
            "cron expression '@reboot': a schedule has no reboot to follow; put a task where "
            "your program starts, or use a hook on the start of a worker"
        )
    if text.lower() not in NICKNAMES:
        raise InvalidSchedule(
            f"cron expression: expected five or six fields or one of {', '.join(NICKNAMES)}, "
            f"found {expression!r}"
        )
    return NICKNAMES[text.lower()]


def _parse(fields: str, expression: str) -> CronSim:
    # Imported here because it need not be there for anybody who uses no cron expression.
    from cronsim import CronSim, CronSimError

    try:
        return CronSim(fields, _ANY_DAY)
    except CronSimError as error:
        raise InvalidSchedule(
            f"cron expression {expression!r}: {_explain(fields.split())}"
        ) from error


def _explain(values: list[str]) -> str:
    """Say which field is wrong, by trying each by itself."""
    from cronsim import CronSim, CronSimError

    if len(values) not in (5, 6):
        return (
            "expected five fields (minute, hour, day of month, month, day of week), such as "
            f"'30 2 * * *', or six beginning with the second; found {len(values)}"
        )
    whole = ["0", *values] if len(values) == 5 else values
    for place, (name, expected, example) in enumerate(_FIELDS):
        alone = ["*"] * 6
        alone[place] = whole[place]
        try:
            CronSim(" ".join(alone), _ANY_DAY)
        except CronSimError:
            return (
                f"{name}: expected {expected}, alone or in lists, ranges and steps such as "
                f"'{example}', found {whole[place]!r}"
            )
    return "expected at least one date that exists, found none; this schedule would never fire"
