"""Entries whose schedule raises: left alone for a while, so that they harm nobody else."""

from __future__ import annotations

from typing import Final

from taskkit.clock import SECOND

LONGEST: Final = 60 * SECOND


class Troubles:
    """Remembers which keys failed, how often in a row, and when to try them again."""

    __slots__ = ("_failures",)

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, int]] = {}

    def until(self, key: str, now: int) -> int | None:
        """Return the instant before which this key is not to be tried, None if there is none."""
        _, again = self._failures.get(key, (0, now))
        # One that lies further ahead than we ever wait was set before the clock was set back.
        return again if now < again <= now + LONGEST else None

    def failed(self, key: str, now: int) -> int:
        """Enter a failure and return when to try again: after 1 s, 2, 4 … up to a minute."""
        count, _ = self._failures.get(key, (0, now))
        again = now + min(SECOND << min(count, 6), LONGEST)
        self._failures[key] = (count + 1, again)
        return again

    def succeeded(self, key: str) -> None:
        """Forget what there was."""
        self._failures.pop(key, None)
