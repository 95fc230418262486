"""All that one memory store keeps, and the transitions of tasks that its parts share.

Nothing here locks: the backend holds the one lock around every call.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from taskkit.clock import SECOND, Clock, ManualClock
from taskkit.limits import resolve
from taskkit.memory.entry import Entry, Worker
from taskkit.memory.heap import LazyHeap
from taskkit.memory.index import IdIndex
from taskkit.memory.news import News
from taskkit.memory.order import Order
from taskkit.memory.tally import Tally
from taskkit.records import Outcome, Settlement
from taskkit.task import (
    CANCELLED_BY_REQUEST,
    EXPIRED,
    SUPERSEDED,
    WORKER_DIED,
    Failure,
    Instant,
    State,
    Task,
)

_REMEMBERED_DISCARDS: Final = 10_000
"""Discards whose repetition is recognised: far more than can be on their way at one time."""


class Memory:
    """One store."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.tasks: dict[str, Entry] = {}
        self.workers: dict[str, Worker] = {}
        self.lock = threading.Lock()
        self.news = News(self.lock)
        self.order = Order(self.news, self.tasks)
        self.pauses: dict[str, int | None] = {}
        self.schedules: dict[str, tuple[int, bytes]] = {}
        self.watchers: dict[str, list[threading.Event]] = {}
        """Who waits for a task to be finished or gone, by task id."""
        self.token = 0
        """The newest token; they grow over all tasks, not only over those of one."""
        self.kept = LazyHeap()
        """Finished tasks by the end of their ttl."""
        self.index = IdIndex()
        self.tally = Tally()
        self._expiring = LazyHeap()
        self._discarded: OrderedDict[str, int] = OrderedDict()
        self._latest = 0
        if isinstance(clock, ManualClock):
            clock.listen(self.news.shout)

    def tick(self) -> int:
        """Return now, with everything done that time does by itself."""
        now = self.clock.now()
        if now < self._latest:
            self.order.rewind(now)
        self._latest = now
        while (first := self._expiring.first()) is not None and first[0] <= now:
            entry = self.tasks[first[1]]
            self.withdraw(entry)
            failure = Failure(EXPIRED, f"not claimed before it expired, at {entry.task.expires}")
            self.finish(entry, State.CANCELLED, now, failure=failure)
        return now

    # ---- into the queue and out of it

    def add(self, task: Task) -> Entry:
        """Enter a new task, in no queue yet."""
        entry = Entry(task)
        self.tasks[task.id] = entry
        self.index.add(task.id)
        return entry

    def enqueue(self, entry: Entry, now: int) -> None:
        """Queue an entry that is in no queue."""
        task = entry.task
        entry.state = State.QUEUED
        order = self.order
        group = order.group(task.group)
        group.insert(entry, now)
        if not group.rotating or task.due > now:
            order.refresh(group, now)
        order.announce(group)
        if task.expires is not None:
            self._expiring.push(task.id, task.expires)

    def withdraw(self, entry: Entry) -> None:
        """Take an unclaimed entry out of its queue."""
        group = self.order.groups[entry.task.group]
        group.withdraw(entry)
        self._expiring.discard(entry.task.id)

    def claim(self, entry: Entry, worker: Worker, now: int) -> None:
        """Make an entry that the order gave out run."""
        self.token += 1
        entry.token = self.token
        entry.attempt += 1
        entry.state = State.RUNNING
        entry.worker = worker
        entry.ran_on = worker.info.id
        entry.began = now
        worker.running[entry.task.id] = entry
        if entry.task.expires is not None:
            self._expiring.discard(entry.task.id)

    def stop(self, entry: Entry, now: int) -> None:
        """End a running entry's claim, and let those run that were blocked by it."""
        assert entry.worker is not None
        del entry.worker.running[entry.task.id]
        entry.worker = None
        group = self.order.groups[entry.task.group]
        if group.end(entry.task):
            self.order.refresh(group, now)
            self.order.announce(group)

    def back(self, entry: Entry, task: Task, now: int) -> None:
        """Queue an entry that ran, as ``task``, unless it was cancelled or superseded meanwhile."""
        entry.task = task
        if entry.cancelling:
            self.cancel(entry, now)
            return
        if task.unique_key is not None:
            holder = self.order.group(task.group).holder(task.unique_key)
            if holder is not None and holder is not entry:
                failure = Failure(SUPERSEDED, holder.task.id)
                self.finish(entry, State.CANCELLED, now, failure=failure)
                return
        self.enqueue(entry, now)

    # ---- the end

    def finish(
        self,
        entry: Entry,
        state: State,
        now: int,
        *,
        result: bytes | None = None,
        failure: Failure | None = None,
    ) -> None:
        """Finish an entry that is in no queue and not running."""
        task = entry.task
        entry.state = state
        entry.done = now
        entry.result = result
        entry.failure = failure
        entry.cancelling = False
        self._free(entry)
        self.tally.add(task, state)
        self.kept.push(task.id, now + round(task.ttl * SECOND))
        if self.watchers:
            self._tell(task.id)

    def unfinish(self, entry: Entry) -> None:
        """Take a finished entry out of what is kept."""
        self.kept.discard(entry.task.id)
        self.tally.remove(entry.task, entry.state)

    def cancel(self, entry: Entry, now: int) -> None:
        """Finish an entry that somebody asked to cancel."""
        failure = Failure(CANCELLED_BY_REQUEST, "cancelled on request")
        self.finish(entry, State.CANCELLED, now, failure=failure)

    def lose(self, entry: Entry, now: int, failure: Failure | None = None) -> None:
        """Decide what becomes of a running entry whose worker died."""
        if failure is None:
            text = f"worker {entry.ran_on} died, or its lease ran out"
            failure = Failure(WORKER_DIED, text)
        entry.losses += 1
        entry.note(now, "lost", failure)
        self.stop(entry, now)
        task = entry.task
        if entry.cancelling:
            self.cancel(entry, now)
        elif task.on_lost == "fail":
            self.finish(entry, State.FAILED, now, failure=failure)
        elif task.on_lost == "keep" or entry.losses >= task.max_lost:
            self.finish(entry, State.LOST, now, failure=failure)
        else:
            self.back(entry, task, now)

    def give_back(self, entry: Entry, due: Instant | None, now: int) -> None:
        """Queue a running entry again as if it had not been claimed."""
        self.stop(entry, now)
        entry.attempt -= 1
        entry.began = entry.history[-1].began if entry.history else None
        task = entry.task
        self.back(entry, task if due is None else replace(task, due=resolve(due, now)), now)

    def remove(self, entry: Entry, now: int) -> None:
        """Forget an entry, whatever its state."""
        task = entry.task
        if entry.state is State.QUEUED:
            self.withdraw(entry)
        elif entry.state is State.RUNNING:
            self.stop(entry, now)
        else:
            self.unfinish(entry)
        self._free(entry)
        del self.tasks[task.id]
        if self.watchers:
            self._tell(task.id)

    def discard(self, entry: Entry, settlement: Settlement, now: int) -> None:
        """Forget a running entry that a settlement discards, but not the settlement."""
        self.remove(entry, now)
        self._discarded[settlement.task_id] = settlement.token
        if len(self._discarded) > _REMEMBERED_DISCARDS:
            self._discarded.popitem(last=False)

    def was_discarded(self, settlement: Settlement) -> bool:
        """Return whether a settlement repeats the one that discarded its task."""
        return (
            settlement.outcome is Outcome.DISCARD
            and self._discarded.get(settlement.task_id) == settlement.token
        )

    def _free(self, entry: Entry) -> None:
        if entry.task.unique_key is not None:
            group = self.order.groups.get(entry.task.group)
            if group is not None:
                group.free(entry)

    def _tell(self, task_id: str) -> None:
        for event in self.watchers.pop(task_id, ()):
            event.set()

    # ---- the house

    def news_of(self, name: str) -> int:
        """Return the count of news when something last became claimable under a name."""
        return self.order.news_of(name)

    def unwatch(self, task_id: str, event: threading.Event) -> None:
        """Forget one who waited for a task."""
        events = self.watchers.get(task_id)
        if events is not None and event in events:
            events.remove(event)
            if not events:
                del self.watchers[task_id]

    def wake_all(self) -> None:
        """Wake everyone who waits for anything. Takes the lock."""
        with self.lock:
            for events in self.watchers.values():
                for event in events:
                    event.set()
        self.news.shout()

    def clear(self) -> None:
        """Forget everything except the clock and who waits."""
        self.tasks.clear()
        self.workers.clear()
        self.order = Order(self.news, self.tasks)
        self.pauses.clear()
        self.schedules.clear()
        self.kept = LazyHeap()
        self.index = IdIndex()
        self.tally = Tally()
        self._expiring = LazyHeap()
        self._discarded.clear()
        for task_id in list(self.watchers):
            self._tell(task_id)
