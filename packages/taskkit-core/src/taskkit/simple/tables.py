"""All that a store keeps, as plain dicts: for a store that can keep them as one document.

The modules beside this one are the protocol on these tables, one function for each operation, with
the instant of the store's clock as its last argument. They know nothing of threads, transactions or
waiting: whoever calls one loads the tables, calls, and stores them, alone. If it raises, throw the
tables away: they may be changed in part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields

from taskkit.errors import InvalidInput
from taskkit.records import Control, Limits, Outcome, Record, WorkerRecord
from taskkit.simple import transitions
from taskkit.task import NewTask, State, Task


@dataclass(slots=True, kw_only=True)
class Tables:
    """All that a store keeps; empty tables are an empty store."""

    token: int = 0
    """The newest. Counted for the whole store, so that none is ever given twice."""
    tasks: dict[str, Record] = field(default_factory=dict)
    ended: dict[str, tuple[int, Outcome, int]] = field(default_factory=dict)
    """By task: the last token that a settlement ended, how and when."""
    workers: dict[str, WorkerRecord] = field(default_factory=dict)
    beaten: dict[str, int] = field(default_factory=dict)
    """By worker: the newest token at its last heartbeat."""
    stopped: dict[str, list[str]] = field(default_factory=dict)
    pauses: dict[str, int | None] = field(default_factory=dict)
    limits: dict[str, Limits] = field(default_factory=dict)
    turns: dict[str, Sequence[str]] = field(default_factory=dict)
    starts: dict[str, Sequence[int]] = field(default_factory=dict)
    schedules: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    changed: set[str] = field(default_factory=set, init=False)
    """The tasks that ``keep``, ``end`` and ``remove`` were called for."""

    def clear(self) -> None:
        """Empty all tables. Tokens go on: no claim from before may pass for one from after."""
        for task_id in self.tasks.keys() | self.ended.keys():
            self.remove(task_id)
        empty = Tables(token=self.token)
        for each in fields(self):
            if each.name not in ("tasks", "ended", "changed"):
                setattr(self, each.name, getattr(empty, each.name))

    def control(self, now: int) -> Control:
        """Return what is paused and limited now."""
        pauses = {name: end for name, end in self.pauses.items() if end is None or end > now}
        return Control(pauses, dict(self.limits))

    def keep(self, record: Record) -> None:
        """Put a record in the place of the task's former one."""
        self.tasks[record.task.id] = record
        self.changed.add(record.task.id)

    def remove(self, task_id: str) -> None:
        """Remove a task, and what is known of how its last claim ended."""
        self.tasks.pop(task_id, None)
        self.ended.pop(task_id, None)
        self.changed.add(task_id)

    def end(self, task_id: str, after: Record | None, how: tuple[int, Outcome, int]) -> None:
        """Put a record in the place of the running one, or none, and remember what ended it."""
        self.tasks.pop(task_id)
        if after is not None:
            self.tasks[task_id] = after
        self.ended[task_id] = how
        self.changed.add(task_id)

    def remove_worker(self, worker_id: str) -> None:
        """Remove a worker."""
        del self.workers[worker_id], self.beaten[worker_id], self.stopped[worker_id]

    def alive(self, worker_id: str, now: int) -> bool:
        """Return whether a worker is known and its lease has not expired."""
        worker = self.workers.get(worker_id)
        return worker is not None and worker.expires > now

    def run_by(self, worker_id: str) -> list[Record]:
        """Return what a worker runs."""
        return [each for each in self.tasks.values() if each.worker_id == worker_id]

    def unclaimed(self, group: str) -> list[Record]:
        """Return the unclaimed tasks of one group."""
        found = [each for each in self.tasks.values() if each.state is State.QUEUED]
        return [each for each in found if each.task.group == group]

    def seen(self, now: int) -> Iterator[Record]:
        """Yield all records as they are seen now."""
        return (transitions.seen(each, now) for each in self.tasks.values())

    def holder(self, task: Task | NewTask) -> str | None:
        """Return the other task that holds this one's unique key, if one does."""
        if task.unique_key is None:
            return None
        key, group = task.unique_key, task.group
        # Most tasks have another key: those are passed over without a call for each.
        same = [
            r for r in self.tasks.values() if r.task.unique_key == key and r.task.group == group
        ]
        held = (each.task.id for each in same if transitions.held_key(each) is not None)
        return next((task_id for task_id in held if task_id != task.id), None)

    def release(self, record: Record, now: int) -> None:
        """Queue a running task as if it had not been claimed."""
        self.keep(transitions.released(record, now, self.holder(record.task)))

    def lose(self, record: Record, now: int) -> None:
        """Do what the death of its worker does to a running task."""
        self.keep(transitions.lost(record, now, self.holder(record.task)))


def refuse_negative(what: str, number: int) -> None:
    """Refuse a number of tasks below 0, of which some stores make "all"."""
    if number < 0:
        raise InvalidInput(f"{what}: expected a number from 0, found {number}")
