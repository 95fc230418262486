"""The due tasks of one group, in claim order."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator

from taskkit.memory.heap import LazyHeap
from taskkit.task import Task


class Ready:
    """Due tasks: priority (high first), due, id.

    Each priority is a lane of its own. So tasks that arrive in the order of their dues arrive in
    the order of their lane, which costs least, and the oldest due is known at any time.
    """

    __slots__ = ("_lanes", "_order", "_size")

    def __init__(self) -> None:
        self._lanes: dict[int, LazyHeap] = {}
        self._order: list[int] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[str]:
        for lane in self._lanes.values():
            yield from lane

    def push(self, task: Task) -> None:
        """Add a task."""
        rank = -task.priority
        lane = self._lanes.get(rank)
        if lane is None:
            lane = self._lanes[rank] = LazyHeap()
            insort(self._order, rank)
        lane.push(task.id, (task.due, task.id))
        self._size += 1

    def discard(self, task: Task) -> None:
        """Remove a task that is there."""
        rank = -task.priority
        lane = self._lanes[rank]
        lane.discard(task.id)
        self._size -= 1
        if not lane:
            self._close(rank)

    def pop(self) -> str:
        """Remove the first task and return its id."""
        rank = self._order[0]
        lane = self._lanes[rank]
        task_id = lane.pop()
        self._size -= 1
        if not lane:
            self._close(rank)
        return task_id

    def oldest(self) -> int | None:
        """Return the smallest due, None if there is none."""
        firsts = (lane.first() for lane in self._lanes.values())
        return min((first[0][0] for first in firsts if first is not None), default=None)

    def _close(self, rank: int) -> None:
        del self._lanes[rank]
        self._order.remove(rank)
