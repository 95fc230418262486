"""How far ahead a group may claim: as many tasks as its slots finish in 50 ms, as measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

HORIZON: Final = 0.05
"""Seconds of work that may lie ready in the worker. More would hold back what is put later with a
higher priority, and what other workers could run; less would leave slots idle for a round trip."""

_LATENESS: Final = 0.005
"""Seconds that a thread may need until it runs, on a busy machine."""

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
        # claimed ahead, because another worker may have a slot free for it sooner; see ``ripe``.
        return min(self._slots * int(HORIZON / max(self._mean, 1e-6)), MAX_AHEAD)

    def ripe(self, begun: Iterable[float], now: float, lead: float) -> tuple[int, float]:
        """Return how many slots are about to become free, and when to ask for the next of them.

        A slot is ripe from ``lead`` before the mean until as long after it: who takes longer than
        the others is not waited for. Asked a little later than the next one ripens, so that those
        which began together are asked about together.

        Args:
            begun: When the attempts that are running began, on the monotonic clock.
            now: The same clock's.
            lead: Seconds.
        """
        ripe, next_at = 0, float("inf")
        if self._mean is not None:
            for began in begun:
                opens = began + self._mean - lead
                if now < opens:
                    next_at = min(next_at, opens + lead / 4)
                elif now <= opens + 2 * lead:
                    ripe += 1
        return ripe, next_at

    def stalled(self) -> None:
        """Take note that tasks waited in vain for a slot: the running ones are slow."""
        self._mean = max(self._mean or 0.0, OVERDUE)


class Lead:
    """How long before a slot becomes free its next task is asked for: as long as answers take.

    Nothing else of tasks that are longer than ``HORIZON`` is claimed ahead.
    """

    __slots__ = ("_answer",)

    def __init__(self) -> None:
        self._answer = 0.0

    def answered(self, seconds: float) -> None:
        """Take note of how long the store took for a claim that brought something."""
        self._answer += (seconds - self._answer) / 8

    @property
    def seconds(self) -> float:
        """Half as much again, and what a thread may be late; ``HORIZON`` at the most."""
        return min(1.5 * self._answer + _LATENESS, HORIZON)
