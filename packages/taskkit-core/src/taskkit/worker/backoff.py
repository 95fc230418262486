"""How long to wait before a dead worker process is started again."""

from __future__ import annotations

from typing import Final

FIRST: Final = 1.0
LONGEST: Final = 30.0
"""Seconds between starts of a process that dies again and again."""
HEALTHY: Final = 60.0
"""Seconds of work after which earlier deaths are forgotten."""
QUICK: Final = 1.0
"""Seconds of work below which a death is a sign that the next process will die too.

A worker that worked for longer is started again at once, however often it died: its own life is
what spaces the restarts, and the tasks it ran must not wait for a penalty.
"""
FREE: Final = 5
"""Quick deaths in a row without a penalty, where the worker had begun to work: somebody may be
killing workers, and what poisoned one is isolated by then."""


class Backoff:
    """The delays of one place: none at first, then 1, 2, 4 … 30 s while deaths are quick."""

    def __init__(self) -> None:
        self._quick = 0

    def delay(self, lived: float) -> float:
        """Return the seconds to wait after a process that worked for ``lived`` seconds.

        0 is for one that never began to: only the first of those is free.
        """
        if lived >= HEALTHY:
            self._quick = 0
        if lived >= QUICK:
            return 0.0
        self._quick += 1
        punished = self._quick - (FREE if lived > 0 else 1)
        return 0.0 if punished <= 0 else min(LONGEST, FIRST * 2 ** min(punished - 1, 10))
