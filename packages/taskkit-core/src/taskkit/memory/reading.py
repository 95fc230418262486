"""What became of tasks, how many there are, and where they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from taskkit.errors import InvalidInput
from taskkit.groups import covers
from taskkit.memory.entry import Entry
from taskkit.memory.state import Memory
from taskkit.records import Count, Page, Query, Record
from taskkit.task import Label, State


def get(memory: Memory, ids: Collection[str]) -> dict[str, Record | None]:
    """Return records by id."""
    now = memory.tick()
    found: dict[str, Record | None] = {}
    for task_id in ids:
        entry = memory.tasks.get(task_id)
        found[task_id] = None if entry is None else entry.record(now)
    return found


def is_over(memory: Memory, task_id: str) -> bool:
    """Return whether a task is finished or gone."""
    memory.tick()
    entry = memory.tasks.get(task_id)
    return entry is None or entry.state.finished


def count(memory: Memory, groups: Collection[str] | None) -> list[Count]:
    """Count tasks by group and state."""
    now = memory.tick()
    memory.order.promote(now)
    counts = [count for group in memory.order.groups.values() for count in group.counts()]
    counts += _running(memory)
    counts += memory.tally.counts((entry.task, entry.state) for entry in memory.tasks.values())
    return sorted(
        (count for count in counts if groups is None or count.group in groups),
        key=lambda count: (count.group, count.state),
    )


def _running(memory: Memory) -> Iterator[Count]:
    dues: dict[str, list[int]] = {}
    for worker in memory.workers.values():
        for entry in worker.running.values():
            dues.setdefault(entry.task.group, []).append(entry.task.due)
    for group, those in dues.items():
        yield Count(group, State.RUNNING, len(those), min(those))


def find(memory: Memory, query: Query, limit: int, after: str | None) -> Page:
    """Return a page of matching tasks."""
    if limit < 0:
        raise InvalidInput(f"find: expected a limit from 0, found {limit}")
    now = memory.tick()
    records: list[Record] = []
    for task_id in memory.index.after(after, memory.tasks, len(memory.tasks)):
        entry = memory.tasks[task_id]
        if not _matches(entry, query, now):
            continue
        if len(records) == limit:
            return Page(records, records[-1].task.id if records else None)
        records.append(entry.record(now))
    return Page(records, None)


def _matches(entry: Entry, query: Query, now: int) -> bool:
    task = entry.task
    group = query.group
    return (
        (group is None or task.group == group or (query.subgroups and covers(group, task.group)))
        and (query.name is None or task.name == query.name)
        and (query.states is None or entry.state_at(now) in query.states)
        and (not query.labels or _has(task.labels, query.labels))
    )


def _has(labels: Mapping[str, Label], wanted: Mapping[str, Label]) -> bool:
    # True equals 1 in Python; as labels they are different.
    return all(
        key in labels
        and labels[key] == value
        and isinstance(labels[key], bool) == isinstance(value, bool)
        for key, value in wanted.items()
    )
