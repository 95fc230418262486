"""Where time comes from: the one file of the core that reads a clock.

Instants are integer microseconds since the Unix epoch, UTC. Durations are seconds where people
type them and microseconds where stores keep them; ``micros`` and ``seconds`` convert.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Protocol

from taskkit.errors import InvalidInput, InvalidSetting
from taskkit.shown import shown

SECOND: Final = 1_000_000
"""Microseconds in a second."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

monotonic = time.monotonic
"""Seconds on a clock that never steps back; for waiting, never stored."""

sleep = time.sleep


class Clock(Protocol):
    """A source of the current instant."""

    def now(self) -> int:
        """Return the current instant in microseconds since the epoch."""
        ...


class SystemClock:
    """The clock of this machine."""

    __slots__ = ()

    def now(self) -> int:
        """Return the current instant in microseconds since the epoch."""
        return time.time_ns() // 1000


class ManualClock:
    """A clock that moves only when told to: for tests of boundaries, without sleeping.

    Thread-safe. It may be set back, as a real clock can be.
    """

    __slots__ = ("_listeners", "_lock", "_now")

    def __init__(self, now: datetime | int = 1_700_000_000 * SECOND) -> None:
        self._lock = threading.Lock()
        self._now = now if isinstance(now, int) else to_instant(now)
        self._listeners: list[Callable[[], object]] = []

    def now(self) -> int:
        """Return the instant that was set last, in microseconds since the epoch."""
        with self._lock:
            return self._now

    def set(self, now: datetime | int) -> None:
        """Move to ``now``, forwards or backwards, and wake those who listen."""
        with self._lock:
            self._now = now if isinstance(now, int) else to_instant(now)
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def advance(self, by: timedelta | float) -> int:
        """Move by a timedelta or by seconds (negative: backwards) and return the new instant."""
        self.set(self.now() + micros(by))
        return self.now()

    def listen(self, listener: Callable[[], object]) -> None:
        """Call ``listener`` after every move, so that a waiting store can look again."""
        with self._lock:
            self._listeners.append(listener)


def check_sendable(clock: Clock | None) -> None:
    """Refuse to send a backend with a clock of the program's own to another process.

    Raises:
        InvalidSetting: it is neither None, the store's own, nor the system's.
    """
    if not isinstance(clock, SystemClock | None):
        raise InvalidSetting(
            "clock: expected the system's clock in a backend that is sent to another process, "
            f"found a {type(clock).__name__}, which that process could not share"
        )


def micros(duration: timedelta | float) -> int:
    """Return a duration (timedelta, or seconds) as whole microseconds, rounded half to even.

    Raises:
        InvalidInput: for NaN, infinity, and what is beyond every float.
    """
    if isinstance(duration, timedelta):
        return duration // _MICROSECOND
    number = duration * SECOND
    try:
        finite = math.isfinite(number)
    except OverflowError:  # an int that no float can hold
        finite = False
    if not finite:
        raise InvalidInput(f"expected a finite number of seconds, found {shown(duration)}")
    return round(number)


def seconds(microseconds: int) -> float:
    """Return microseconds as seconds."""
    return microseconds / SECOND


def to_instant(moment: datetime) -> int:
    """Return an aware datetime as microseconds since the epoch.

    Raises:
        InvalidInput: for a naive datetime, which below the Kit could mean any zone.
    """
    if moment.tzinfo is None:
        raise InvalidInput(
            f"expected a datetime with a time zone, found the naive {moment.isoformat()}; "
            "use datetime.now(UTC) or moment.astimezone()"
        )
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: int, tz: tzinfo = UTC) -> datetime:
    """Return an instant as an aware datetime in ``tz``."""
    return (_EPOCH + timedelta(microseconds=instant)).astimezone(tz)
