"""A heap out of which anything can be taken by name."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Any, Final, Generic, TypeVar

V = TypeVar("V")

_SMALL: Final = 64


class LazyHeap(Generic[V]):
    """Values under unique names, the one with the smallest key first.

    What is discarded or replaced stays in the list until it comes up, or until most of the list is
    such, so every step is O(log n), amortised. Keys of one heap can be compared with each other.
    """

    __slots__ = ("_items", "_live", "_pushed")

    def __init__(self) -> None:
        # The count of pushes settles ties, so that values are never compared.
        self._items: list[tuple[Any, int, str, V]] = []
        self._live: dict[str, tuple[Any, int, str, V]] = {}
        self._pushed = 0

    def __len__(self) -> int:
        return len(self._live)

    def push(self, name: str, key: Any, value: V) -> None:
        """Add a value, in place of what has this name."""
        self._pushed += 1
        item = (key, self._pushed, name, value)
        self._live[name] = item
        heappush(self._items, item)
        self._tidy()

    def discard(self, name: str) -> None:
        """Remove the value of this name, if there is one."""
        if self._live.pop(name, None) is not None:
            self._tidy()

    def pop(self) -> V:
        """Remove and return the first value.

        Raises:
            IndexError: the heap is empty.
        """
        live = self._live
        while True:
            item = heappop(self._items)
            if live.get(item[2]) is item:
                del live[item[2]]
                return item[3]

    def first(self) -> tuple[Any, V] | None:
        """Return key and value of the first, None if the heap is empty."""
        items = self._items
        while items:
            item = items[0]
            if self._live.get(item[2]) is item:
                return item[0], item[3]
            heappop(items)
        return None

    def key(self, name: str) -> Any:
        """Return the key of the value of this name, None if there is none."""
        item = self._live.get(name)
        return None if item is None else item[0]

    def _tidy(self) -> None:
        if len(self._items) > _SMALL and len(self._items) > 2 * len(self._live):
            self._items = list(self._live.values())
            heapify(self._items)
