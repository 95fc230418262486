"""What a schedule is: one method, that anybody can write."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Protocol

from taskkit.clock import to_datetime, to_instant
from taskkit.errors import InvalidSchedule


class Schedule(Protocol):
    """Says when something happens. Anything that has ``next_after`` is a schedule."""

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first tick strictly after ``moment``, or None if there is none any more.

        Both are aware datetimes; two that differ only in their zone are the same moment. The
        answer depends on nothing but the argument, so that all schedulers come to the same ticks.
        """
        ...


def next_tick(schedule: Schedule, instant: int, tz: tzinfo) -> int | None:
    """Return the first tick of ``schedule`` strictly after ``instant``, both in microseconds.

    Args:
        schedule: Possibly of a user, and therefore not trusted.
        instant: Where to look from.
        tz: The zone in which the schedule is asked; one without a zone of its own works in it.

    Raises:
        InvalidSchedule: the answer is no aware datetime, or not after ``instant``: to believe it
            would mean to go round for ever.
    """
    tick: object = schedule.next_after(to_datetime(instant, tz))
    if tick is None:
        return None
    if not isinstance(tick, datetime) or tick.utcoffset() is None:
        raise InvalidSchedule(
            f"{schedule!r}: next_after must return a datetime with a time zone or None, "
            f"it returned {tick!r}"
        )
    found = to_instant(tick)
    if found <= instant:
        raise InvalidSchedule(
            f"{schedule!r}: next_after must return a moment after its argument "
            f"{to_datetime(instant).isoformat()}, it returned {tick.isoformat()}"
        )
    return found


def check_aware(what: str, moment: object) -> None:
    """Refuse what is not a datetime with a time zone.

    Raises:
        InvalidSchedule: naming ``what``.
    """
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise InvalidSchedule(
            f"{what}: expected a datetime with a time zone, such as "
            f"datetime(2027, 1, 31, tzinfo=UTC), found {moment!r}"
        )
