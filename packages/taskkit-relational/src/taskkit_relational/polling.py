"""Without push: look whether something has become claimable, often after it did, then less often.

What is looked at is a *sign*: a few values that change whenever something may have become
claimable. Only a change wakes anybody, so that tasks which nobody here can claim (other groups',
paused, limited) keep nobody busy; and after a second of no change one wakes for safety.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from taskkit.clock import monotonic
from taskkit.errors import BackendError
from taskkit_relational.statements import Cursor
from taskkit_relational.wakeup import Room

_SHORTEST: Final = 0.005
_LONGEST: Final = 0.072
"""Seconds between two looks: at most about 14 a second while nothing happens."""
_GROWTH: Final = 1.3
"""Of the pause, with each look that finds nothing new."""
_SAFETY: Final = 1.0
"""Seconds after which whoever waits tries again while something is there that nobody takes."""


class Sign(NamedTuple):
    """What a look finds."""

    values: tuple[Any, ...]
    """Different from those before when something may have become claimable."""
    is_there: bool
    """Whether something can be claimed, by somebody."""


Look: TypeAlias = Callable[[Cursor], Sign]
"""One statement."""


class Store(Protocol):
    """What polling needs of a store's statements."""

    def unfinished(self, cursor: Cursor, ids: Any) -> set[str]: ...


class Polling:
    """A source of news that asks.

    Args:
        connecting: Gives a cursor on a connection of its own, in autocommit.
        look: Finds the sign.
        store: Tells which tasks are not finished.
        errors: What the driver raises …
        translate: … and what that means.
    """

    def __init__(
        self,
        connecting: Callable[[], AbstractContextManager[Cursor]],
        look: Look,
        store: Store,
        errors: tuple[type[Exception], ...],
        translate: Callable[[Exception], BackendError],
    ) -> None:
        self._connecting = connecting
        self._look = look
        self._store = store
        self._errors = errors
        self._translate = translate
        self._rung = threading.Event()

    def interrupt(self) -> None:
        """Let ``watch`` look up soon."""
        self._rung.set()

    def watch(self, room: Room) -> None:
        """Watch until nobody has waited for a while."""
        try:
            with self._connecting() as cursor:
                self._watch(room, cursor)
        except self._errors as error:
            raise self._translate(error) from error

    def _watch(self, room: Room, cursor: Cursor) -> None:
        def over(ids: Collection[str]) -> set[str]:
            return set(ids) - self._store.unfinished(cursor, list(ids))

        # Looked at before it is said that from now on nothing is missed.
        known, told, pause = self._look(cursor), monotonic(), _SHORTEST
        room.listening()
        while room.is_wanted():
            if room.has_awaited():
                room.finished(over)
            pause = min(pause * _GROWTH, _LONGEST)
            if room.has_claimers():
                before, known = known, self._look(cursor)
                changed = known.values != before.values
                if changed:
                    pause = _SHORTEST
                if changed or (known.is_there and monotonic() > told + _SAFETY):
                    room.claimable()
                    told = monotonic()
            if self._rung.wait(pause):
                self._rung.clear()
                pause = _SHORTEST


__all__ = ["Look", "Polling", "Sign"]
