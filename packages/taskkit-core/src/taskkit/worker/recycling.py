"""When a worker has lived long enough: by tasks, age or memory."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from taskkit.clock import monotonic

if TYPE_CHECKING:
    from taskkit.settings import WorkerSettings

INTERVAL: Final = 1.0
"""Seconds between looks, where there is something to look at."""

_SPREAD: Final = 0.1


class Recycling:
    """The limits of one process, each up to 10 % off, so that processes do not end together.

    Args:
        settings: ``max_tasks``, ``max_age``, ``max_rss``.
        done: Returns how many tasks this process has handled.
    """

    def __init__(self, settings: WorkerSettings, done: Callable[[], int]) -> None:
        spread = random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - spreads load only
        self._done = done
        self._max_tasks = _scaled(settings.max_tasks, spread)
        self._max_rss = _scaled(settings.max_rss, spread)
        age = _scaled(settings.max_age, spread)
        self._until = None if age is None else monotonic() + age
        limits = (self._max_tasks, self._max_rss, self._until)
        self.limited = any(limit is not None for limit in limits)

    def reason(self) -> str | None:
        """Return which limit is reached, in words for the log; None if none is."""
        if self._max_tasks is not None and self._done() >= self._max_tasks:
            return f"{self._done()} tasks"
        if self._until is not None and monotonic() >= self._until:
            return "its age"
        if self._max_rss is not None and (rss := resident_bytes()) >= self._max_rss:
            return f"{rss} bytes of memory"
        return None


def resident_bytes() -> int:
    """Return the memory that this process occupies now (where only that is known: its peak)."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - read every second
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def _scaled(limit: float | None, spread: float) -> float | None:
    return None if limit is None else limit * spread
