"""How long to wait, as people write it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from taskkit.errors import InvalidInput

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)")
_UNITS: Final = {"s": 1, "m": 60, "": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST: Final = timedelta(days=36_500)


def read_delay(text: str) -> timedelta | None:
    """Return a time such as ``90s``, ``10m`` (or ``10``), ``1h 30m``, ``2d``; nothing is None.

    Raises:
        InvalidInput: it is none.
    """
    text = text.strip().lower()
    if not text:
        return None
    parts = list(_PART.finditer(text))
    if "".join(part.group(0) for part in parts).replace(" ", "") != text.replace(" ", ""):
        raise InvalidInput(f"delay: expected a time such as 90s, 10m, 1h 30m or 2d, found {text!r}")
    seconds = sum(float(part.group(1)) * _UNITS[part.group(2)] for part in parts)
    if seconds > _LONGEST.total_seconds():
        raise InvalidInput("delay: expected at most a hundred years")
    return timedelta(seconds=seconds)


def write_delay(every: timedelta) -> str:
    """Return a time as ``read_delay`` reads it, in its largest whole unit."""
    seconds = every.total_seconds()
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:g}s"
