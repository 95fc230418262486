"""What the queue holds: immutable, so that a search can go back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Item:
    """One task."""

    group: str
    due: int
    state: str
    """``queued`` stands for waiting, too."""
    priority: int = 0
    key: str | None = None
    lock: str | None = None
    lock_limit: int = 1
    max_lost: int = 3
    token: int = 0
    attempt: int = 0
    losses: int = 0
    retries: int | None = 0
    """None: free, because it was cancelled while it was to be retried."""
    worker: str = ""
    beaten: bool = False
    """Whether its worker has sent a heartbeat since it was claimed."""
    cancelling: bool = False
    stood: frozenset[tuple[int, str]] = frozenset()
    """Settlements that took effect."""


@dataclass(frozen=True, slots=True)
class Queue:
    """The state of all tasks and workers."""

    now: int
    items: Mapping[str, Item] = field(default_factory=dict, hash=False)
    leases: Mapping[str, int] = field(default_factory=dict, hash=False)
    discarded: frozenset[tuple[str, int]] = frozenset()

    def key(self) -> object:
        """Return what makes it equal to another, hashable."""
        items = frozenset(self.items.items())
        return self.now, items, frozenset(self.leases.items()), self.discarded

    def alive(self, worker: str) -> bool:
        """Return whether a worker may claim."""
        return self.leases.get(worker, self.now) > self.now

    def put(self, task_id: str, item: Item | None) -> Queue:
        """Return the state in which one task is changed, or gone."""
        items = dict(self.items)
        if item is None:
            items.pop(task_id, None)
        else:
            items[task_id] = item
        return replace(self, items=items)

    def holder(self, group: str, key: str | None) -> str | None:
        """Return the unclaimed task that has a unique key."""
        if key is None:
            return None
        for task_id, item in self.items.items():
            if item.key == key and item.group == group and item.state == "queued":
                return task_id
        return None

    def back(self, task_id: str, item: Item) -> Queue:
        """Return the state in which a task that ran is queued again, if it may be."""
        item = replace(item, worker="", state="queued", beaten=False)
        if item.cancelling or self.holder(item.group, item.key) not in (None, task_id):
            item = replace(item, state="cancelled", cancelling=False, retries=None)
        return self.put(task_id, item)

    def lose(self, task_id: str) -> Queue:
        """Return the state in which the worker of a task has died."""
        item = self.items[task_id]
        item = replace(item, losses=item.losses + 1)
        if not item.cancelling and item.losses >= item.max_lost:
            return self.put(task_id, replace(item, worker="", state="lost"))
        return self.back(task_id, item)
