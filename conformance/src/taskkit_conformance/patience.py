"""Time limits that a busy machine does not use up.

A store that hangs and one whose machine has other things to do look alike to a clock on the wall.
So a limit counts only the time in which this process could have computed: now and then it looks
what share of a processor it is given, and time that was not given does not count. A process that
was stopped, or a machine that slept, has used up nothing at all.
"""

from __future__ import annotations

import threading
import time  # noqa: TID251 - for the time that a processor spent, which is no time of day
from pathlib import Path
from typing import Final

from taskkit.clock import monotonic

_GLANCE: Final = 0.25
"""Seconds after which the share is measured anew, and the most that counts between two looks."""

_COUNTS: Final = Path("/proc/thread-self/schedstat")
"""On Linux: nanoseconds on a processor, nanoseconds waiting for one, and how often it had one."""

_PROBE: Final = 0.002
"""Seconds of a processor that a measurement uses."""


class Patience:
    """So many seconds; ``is_over`` is to be asked often, and says when they are used up."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.begin()

    def begin(self) -> None:
        """Begin anew, because something has moved."""
        self._left = self.seconds
        self._looked = self._measured = monotonic()
        self._share = 1.0

    def is_over(self) -> bool:
        """Return whether the time is used up."""
        now = monotonic()
        self._left -= min(now - self._looked, _GLANCE) * self._share
        self._looked = now
        if now - self._measured > _GLANCE:
            self._share = share_of_a_processor()
            self._looked = self._measured = monotonic()
        return self._left <= 0


def share_of_a_processor() -> float:
    """Return which part of a processor this thread is given now: 1 on a machine that is idle."""
    began, used = monotonic(), time.thread_time()
    while (spent := time.thread_time() - used) < _PROBE:
        pass
    return min(1.0, spent / max(monotonic() - began, _PROBE))


_handed_in: dict[str, float] = {"seconds": 0.0}
_lock: Final = threading.Lock()


def hand_in() -> None:
    """Count what this thread was denied for the one who waits for it; called at its end."""
    denied = _denied_here()
    with _lock:
        _handed_in["seconds"] += denied


def denied_seconds() -> float:
    """Return how long this thread has waited for a processor that others used, since it began.

    Linux counts that, to the nanosecond; where nobody does, it is 0. What was handed in by those
    for whom it waited meanwhile is part of it.
    """
    return _denied_here() + _handed_in["seconds"]


def _denied_here() -> float:
    try:
        return int(_COUNTS.read_bytes().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0
