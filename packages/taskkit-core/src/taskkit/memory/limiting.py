"""What holds due tasks back: locks and rates."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from taskkit.clock import micros
from taskkit.memory.heap import LazyHeap
from taskkit.records import Rate
from taskkit.task import Task


class Lock:
    """One lock key of one group: how many run under it, and who is parked behind it.

    A release hands back as many tasks as it made room for, and so does a task that leaves the
    queue unclaimed; whoever is handed back and finds the room taken is parked again. So there is
    never room with everybody parked, and never a scan.
    """

    __slots__ = ("_parked", "running")

    def __init__(self) -> None:
        self.running = 0
        # By limit: tasks of one key may ask for different ones, and a release that lets the
        # generous run must not wake the strict, who would go before them in vain.
        self._parked: dict[int, LazyHeap] = {}

    def park(self, task: Task) -> None:
        """Put a due task aside until there is room."""
        heap = self._parked.setdefault(task.lock_limit, LazyHeap())
        heap.push(task.id, (-task.priority, task.due, task.id))

    def discard(self, task: Task) -> None:
        """Forget a parked task."""
        self._parked[task.lock_limit].discard(task.id)

    def parked(self) -> Iterator[str]:
        """Yield the ids of all that are parked."""
        for heap in self._parked.values():
            yield from heap

    def wake(self) -> Iterator[str]:
        """Yield, for each limit that leaves room, the id of the first that is parked behind it."""
        for limit, heap in list(self._parked.items()):
            if limit > self.running and heap:
                yield heap.pop()
            if not heap:
                del self._parked[limit]

    @property
    def idle(self) -> bool:
        """Whether nobody runs and nobody is parked."""
        return not self.running and not any(self._parked.values())


class RateLog:
    """The claims of the last period: an exact sliding window, with equal instants as one."""

    __slots__ = ("_claims", "_limit", "_period", "_used")

    def __init__(self, rate: Rate) -> None:
        self._claims: deque[tuple[int, int]] = deque()
        self._used = 0
        self.change(rate)

    def change(self, rate: Rate) -> None:
        """Follow another rate from now on; what was claimed still counts."""
        self._limit = rate.limit
        self._period = micros(rate.period)

    def room(self, now: int) -> int:
        """Return how many claims the rate allows now."""
        claims = self._claims
        while claims and claims[0][0] + self._period <= now:
            self._used -= claims.popleft()[1]
        return self._limit - self._used

    def opens(self, now: int) -> int:
        """Return from when on a claim is allowed: now, or when enough has left the window."""
        excess = 1 - self.room(now)
        for instant, count in self._claims:
            if excess <= 0:
                break
            excess -= count
            now = instant + self._period
        return now

    def add(self, now: int, count: int) -> None:
        """Count claims."""
        self._used += count
        if self._claims and self._claims[-1][0] == now:
            count += self._claims.pop()[1]
        self._claims.append((now, count))

    def rewind(self, now: int) -> None:
        """Follow a clock that was set back: what it calls the future has happened by now."""
        future = 0
        while self._claims and self._claims[-1][0] > now:
            future += self._claims.pop()[1]
        if future:
            self._claims.append((now, future))
