"""A queue of names by key, out of which any name can be taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush
from typing import Any, Final, TypeAlias

_SMALL: Final = 64

# Key, count of pushes, name. The count settles ties. There is nothing in it that the garbage
# collector has to follow: with a million tasks stored that is what keeps it cheap.
_Item: TypeAlias = tuple[Any, int, str]


class LazyHeap:
    """Names, the one with the smallest key first. Keys of one heap can be compared.

    What is discarded or replaced stays inside until it comes up, or until most of the content is
    such, so every step is O(log n), amortised. What arrives in the order of its keys, as most tasks
    do, goes to a plain queue beside the heap, where a step is O(1).
    """

    __slots__ = ("_heap", "_live", "_pushed", "_run")

    def __init__(self) -> None:
        self._run: deque[_Item] = deque()
        self._heap: list[_Item] = []
        self._live: dict[str, _Item] = {}
        self._pushed = 0

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[str]:
        return iter(self._live)

    def push(self, name: str, key: Any) -> None:
        """Add a name, or give it another key."""
        self._pushed += 1
        item = (key, self._pushed, name)
        run = self._run
        if not run or item > run[-1]:
            run.append(item)
        else:
            heappush(self._heap, item)
        live = self._live
        if name in live:
            live[name] = item
            self._tidy()
        else:
            live[name] = item

    def discard(self, name: str) -> None:
        """Remove a name if it is there."""
        if self._live.pop(name, None) is not None:
            self._tidy()

    def pop(self) -> str:
        """Remove and return the first name.

        Raises:
            IndexError: there is none.
        """
        run, heap, live = self._run, self._heap, self._live
        while True:
            item = run.popleft() if run and (not heap or run[0] < heap[0]) else heappop(heap)
            name = item[2]
            if live.get(name) is item:
                del live[name]
                return name

    def first(self) -> tuple[Any, str] | None:
        """Return key and name of the first, None if there is none."""
        run, heap, live = self._run, self._heap, self._live
        while run or heap:
            in_run = bool(run) and (not heap or run[0] < heap[0])
            item = run[0] if in_run else heap[0]
            if live.get(item[2]) is item:
                return item[0], item[2]
            if in_run:
                run.popleft()
            else:
                heappop(heap)
        return None

    def key(self, name: str) -> Any:
        """Return the key of a name, None if it is not there."""
        item = self._live.get(name)
        return None if item is None else item[0]

    def _tidy(self) -> None:
        size = len(self._run) + len(self._heap)
        if size > _SMALL and size > 2 * len(self._live):
            self._run.clear()
            self._heap = list(self._live.values())
            heapify(self._heap)
