"""How far ahead a group may claim: as many tasks as its slots finish in 50 ms, as measured."""

from __future__ import annotations

from typing import Final

HORIZON: Final = 0.05
"""Seconds of work that may lie ready in the worker. More would hold back what is put later with a
higher priority, and what other workers could run; less would leave slots idle for a round trip."""

MAX_AHEAD: Final = 512
"""Tasks: where they take microseconds, 50 ms would be thousands of them in memory."""

OVERDUE: Final = 0.25
"""Seconds after which what found no slot is given back: the tasks before it turned slow."""


class Pace:
    """The moving average of how long a task of one group keeps a slot busy."""

    __slots__ = ("_busy", "_done", "_mean", "_slots")

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._done = 0
        self._busy = 0.0
        self._mean: float | None = None

    def ahead(self, done: int, busy: float) -> int:
        """Return how many tasks may be claimed beyond the free slots.

        Args:
            done: Tasks that the group's slots have finished, ever.
            busy: Seconds that they took, ever.
        """
        finished = done - self._done
        if finished:
            mean = (busy - self._busy) / finished
            # Each time the slots have turned over once, what was before counts half.
            weight = finished / (finished + self._slots)
            self._mean = mean if self._mean is None else self._mean + (mean - self._mean) * weight
            self._done, self._busy = done, busy
        if self._mean is None:
            return 0
        # Whole tasks for each slot: of one that takes longer than the horizon not even the next is
        # claimed ahead, because another worker may have a slot free for it sooner.
        return min(self._slots * int(HORIZON / max(self._mean, 1e-6)), MAX_AHEAD)

    def stalled(self) -> None:
        """Take note that tasks waited in vain for a slot: the running ones are slow."""
        self._mean = max(self._mean or 0.0, OVERDUE)
