"""The surface of the Kit meets what lies below: what people type becomes instants and seconds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TypeAlias

from taskkit.clock import micros, to_instant
from taskkit.errors import InvalidInput
from taskkit.task import After, Instant

Moment: TypeAlias = datetime | timedelta | float
"""A point in time as people give it: a datetime, or a timedelta or seconds from now."""


def moment_to_instant(moment: datetime) -> int:
    """Return a datetime as an instant; a naive one is local time."""
    try:
        return to_instant(moment if moment.tzinfo is not None else moment.astimezone())
    except (OverflowError, OSError) as error:
        raise InvalidInput(
            f"expected a moment between the years 1970 and 9999, found {moment.isoformat()}"
        ) from error


def to_when(what: str, moment: Moment) -> Instant:
    """Return a moment as an instant, or as a delay that the store adds to its own now.

    Raises:
        InvalidInput: for anything else, NaN and infinity included; ``what`` names it.
    """
    if isinstance(moment, datetime):
        return moment_to_instant(moment)
    if isinstance(moment, bool) or not isinstance(moment, timedelta | int | float):
        raise InvalidInput(
            f"{what}: expected a datetime, a timedelta or seconds from now, found {moment!r}"
        )
    try:
        return After(micros(moment))
    except InvalidInput as error:
        raise InvalidInput(f"{what}: {error}") from None
