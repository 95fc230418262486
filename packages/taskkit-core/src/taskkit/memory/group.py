"""One concrete group: its unclaimed tasks in claim order, and what holds them back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from taskkit.memory.entry import Entry
from taskkit.memory.heap import LazyHeap
from taskkit.memory.limiting import Lock, RateLog
from taskkit.memory.ready import Ready
from taskkit.records import Count, Limits
from taskkit.task import State, Task

if TYPE_CHECKING:
    from taskkit.memory.order import Node

NO_LIMITS = Limits()


class Group:
    """The tasks of one name, without its subgroups."""

    __slots__ = (
        "_locks",
        "_parked",
        "_rate",
        "_tasks",
        "_unique",
        "limits",
        "name",
        "nodes",
        "ready",
        "rotating",
        "running",
        "unclaimed",
        "waiting",
    )

    def __init__(self, name: str, nodes: tuple[Node, ...], tasks: Mapping[str, Entry]) -> None:
        self.name = name
        self._tasks = tasks
        self.nodes = nodes
        """Under these names it can be wanted: its own, and those of the groups above it."""
        self.ready = Ready()
        """Due, as far as anybody looked, in claim order."""
        self.waiting = LazyHeap()
        """Due later, by due."""
        self.rotating = False
        """Whether its nodes offer it to claims."""
        self.running = 0
        self.unclaimed = 0
        self.limits = NO_LIMITS
        self._rate: RateLog | None = None
        self._locks: dict[str, Lock] = {}
        self._parked = LazyHeap()
        self._unique: dict[str, Entry] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing would be forgotten with it."""
        return not self.unclaimed and not self.running and self.limits is NO_LIMITS

    # ---- in and out of the queue

    def insert(self, entry: Entry, now: int) -> None:
        """Lay an unclaimed task where it belongs by its due."""
        task = entry.task
        self.unclaimed += 1
        if task.unique_key is not None:
            self._unique[task.unique_key] = entry
        if task.due > now:
            self._wait(entry)
        else:
            self._offer(entry)

    def withdraw(self, entry: Entry) -> None:
        """Take an unclaimed task out of the queue, not in order to run it."""
        task, place = entry.task, entry.place
        entry.place = None
        self.unclaimed -= 1
        if place == "waiting":
            self.waiting.discard(task.id)
            return
        assert place is not None
        if place == "ready":
            self.ready.discard(task)
        if task.lock_key is not None:
            if place == "parked":
                self._parked.discard(task.id)
                self._locks[task.lock_key].discard(task)
            self._wake(task.lock_key)

    def promote(self, now: int) -> None:
        """Move what has become due from the waiting to the ready."""
        waiting = self.waiting
        while (first := waiting.first()) is not None and first[0] <= now:
            self._offer(self._tasks[waiting.pop()])

    def _wait(self, entry: Entry) -> None:
        self.waiting.push(entry.task.id, entry.task.due)
        entry.place = "waiting"

    def _offer(self, entry: Entry) -> None:
        self.ready.push(entry.task)
        entry.place = "ready"

    # ---- claims

    def room(self, now: int) -> int | None:
        """Return how many more tasks the limits let run now; None is as many as there are."""
        if self.limits is NO_LIMITS:
            return None
        most = self.limits.max_running
        room = None if most is None else max(0, most - self.running)
        if self._rate is not None:
            rate = max(0, self._rate.room(now))
            room = rate if room is None else min(rate, room)
        return room

    def take(self, most: int, now: int) -> list[Entry]:
        """Take up to ``most`` tasks out of the queue in order to run them, in claim order.

        Those whose lock is used up are parked. If fewer are taken, nothing ready is left.
        """
        taken: list[Entry] = []
        ready, tasks = self.ready, self._tasks
        while len(taken) < most and ready:
            entry = tasks[ready.pop()]
            task = entry.task
            if task.lock_key is not None and not self._lock(task.lock_key, entry):
                continue
            entry.place = None
            taken.append(entry)
            if task.unique_key is not None and task.unique_scope == "queued":
                self.free(entry)
        if taken:
            self.unclaimed -= len(taken)
            self.running += len(taken)
            if self._rate is not None:
                self._rate.add(now, len(taken))
        return taken

    def end(self, task: Task) -> bool:
        """Count a running task as ended; return whether another may run in its place."""
        self.running -= 1
        woken = False
        if task.lock_key is not None:
            self._locks[task.lock_key].running -= 1
            woken = self._wake(task.lock_key)
        return woken or (not self.rotating and bool(self.ready))

    def opens(self, now: int) -> int | None:
        """Return when the next task becomes claimable by itself, as far as ``now`` can tell."""
        gate = now if self._rate is None else self._rate.opens(now)
        if gate > now and self.ready:
            return gate
        first = self.waiting.first()
        return None if first is None else max(gate, first[0])

    def _lock(self, key: str, entry: Entry) -> bool:
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = Lock()
        if lock.running >= entry.task.lock_limit:
            lock.park(entry.task)
            entry.place = "parked"
            self._parked.push(entry.task.id, entry.task.due)
            return False
        lock.running += 1
        return True

    def _wake(self, key: str) -> bool:
        lock = self._locks.get(key)
        if lock is None:
            return False
        woken = False
        for task_id in lock.wake():
            self._parked.discard(task_id)
            self._offer(self._tasks[task_id])
            woken = True
        if lock.idle:
            del self._locks[key]
        return woken

    # ---- keys and limits

    def holder(self, key: str) -> Entry | None:
        """Return the task that has a unique key."""
        return self._unique.get(key)

    def free(self, entry: Entry) -> None:
        """Let a task's unique key be taken again, if it is this task that has it."""
        key = entry.task.unique_key
        if key is not None and self._unique.get(key) is entry:
            del self._unique[key]

    def limit(self, limits: Limits) -> None:
        """Follow other limits from now on; what was claimed still counts."""
        self.limits = NO_LIMITS if limits == NO_LIMITS else limits
        if limits.rate is None:
            self._rate = None
        elif self._rate is None:
            self._rate = RateLog(limits.rate)
        else:
            self._rate.change(limits.rate)

    def rewind(self, now: int) -> None:
        """Follow a clock that was set back: what is not due any more waits again."""
        if self._rate is not None:
            self._rate.rewind(now)
        entries = [self._tasks[task_id] for task_id in (*self.ready, *self._parked)]
        early = [entry for entry in entries if entry.task.due > now]
        for entry in early:
            self.withdraw(entry)
        for entry in early:
            self._wait(entry)
        self.unclaimed += len(early)

    # ---- numbers

    def counts(self) -> Iterator[Count]:
        """Yield the counts of the unclaimed, as of the last promotion."""
        parked = self._parked.first()
        dues = [self.ready.oldest(), None if parked is None else parked[0]]
        oldest = min((due for due in dues if due is not None), default=None)
        if oldest is not None:
            yield Count(self.name, State.QUEUED, len(self.ready) + len(self._parked), oldest)
        first = self.waiting.first()
        if first is not None:
            yield Count(self.name, State.WAITING, len(self.waiting), first[0])
