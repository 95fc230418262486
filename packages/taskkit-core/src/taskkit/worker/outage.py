"""A store that does not answer: one log line when it begins, one when it is over, patience between.

The parts of a worker that talk to the store share one ``Outage``, because it is one store.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import Final

from taskkit.errors import Unavailable

FIRST_WAIT: Final = 0.05
LONGEST_WAIT: Final = 1.0
"""Seconds: a worker is back at work within three seconds after its store."""

_log = logging.getLogger("taskkit.worker.store")


class Outage:
    """What the parts of one worker know together about their store. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._down: set[str] = set()

    def begins(self, part: str, error: Exception) -> None:
        """Take note that a part's call failed for the first time in a row."""
        with self._lock:
            known = bool(self._down)
            self._down.add(part)
        if isinstance(error, Unavailable):
            if not known:
                _log.error("the store does not answer; trying again until it does: %s", error)
        else:
            _log.error("%s: the store failed; trying again", part, exc_info=error)

    def ends(self, part: str) -> None:
        """Take note that a part's call worked again."""
        with self._lock:
            self._down.discard(part)
            over = not self._down
        if over:
            _log.warning("the store answers again")


class Patience:
    """The view of one part: counts its failures in a row and says how long to wait."""

    __slots__ = ("_failures", "_outage", "_part")

    def __init__(self, outage: Outage, part: str) -> None:
        self._outage = outage
        self._part = part
        self._failures = 0

    def failed(self, error: Exception) -> float:
        """Take note of a failure and return how many seconds to wait before the next try."""
        if not self._failures:
            self._outage.begins(self._part, error)
        longest = min(FIRST_WAIT * (1 << self._failures), LONGEST_WAIT)
        self._failures = min(self._failures + 1, 16)
        # Half of it at random, so that workers do not come back all at once.
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

    def worked(self) -> None:
        """Take note that a call worked."""
        if self._failures:
            self._failures = 0
            self._outage.ends(self._part)
