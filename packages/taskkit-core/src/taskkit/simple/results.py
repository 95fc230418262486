"""``Results`` and ``Schedules`` on tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from taskkit.records import Record, ScheduleState, Settlement
from taskkit.simple import transitions
from taskkit.simple.queue import put_one
from taskkit.simple.tables import Tables
from taskkit.task import NewTask


def get(tables: Tables, ids: Collection[str], now: int) -> dict[str, Record | None]:
    """Return records as they are seen now."""
    found = {task_id: tables.tasks.get(task_id) for task_id in ids}
    return {name: each and transitions.seen(each, now) for name, each in found.items()}


def record(tables: Tables, task: NewTask, outcome: Settlement, began: int, now: int) -> bool:
    """Store a task that was run in place."""
    if task.id in tables.tasks:
        return False
    tables.keep(transitions.recorded(task, outcome, began, now))
    return True


def load_schedule(tables: Tables, name: str, now: int) -> ScheduleState:
    """Return version and state."""
    version, state = tables.schedules.get(name, (0, None))
    return ScheduleState(version, state, now)


def advance_schedule(
    tables: Tables, name: str, version: int, state: bytes, tasks: Sequence[NewTask], now: int
) -> bool:
    """Store state and tasks if the version is still this."""
    if load_schedule(tables, name, now).version != version:
        return False
    tables.schedules[name] = version + 1, state
    for new in tasks:
        put_one(tables, new, now)
    return True
