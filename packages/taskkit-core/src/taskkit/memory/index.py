"""All ids in order, sorted only when somebody reads them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterator


class IdIndex:
    """Ids in ascending order.

    New ones are appended and sorted in by the next search: ids of one group nearly ascend by
    themselves, which makes that cheap, while a put pays no more than the append.
    """

    __slots__ = ("_added", "_sorted")

    def __init__(self) -> None:
        self._sorted: list[str] = []
        self._added: list[str] = []

    def add(self, task_id: str) -> None:
        """Add an id."""
        self._added.append(task_id)

    def after(self, task_id: str | None, known: Container[str], count: int) -> Iterator[str]:
        """Yield the ids behind ``task_id`` that are still ``known``, of which there are ``count``.

        Ids need not be removed: those that are no longer known are dropped in passing.
        """
        if self._added:
            self._sorted += self._added
            self._added.clear()
            self._sorted.sort()
        if len(self._sorted) > 2 * count:
            self._sorted = [name for name in dict.fromkeys(self._sorted) if name in known]
        start = 0 if task_id is None else bisect_right(self._sorted, task_id)
        last = task_id
        for position in range(start, len(self._sorted)):
            name = self._sorted[position]
            if name != last and name in known:  # an id may have been deleted and put again
                yield name
            last = name
