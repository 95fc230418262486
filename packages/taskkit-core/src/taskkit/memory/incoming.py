"""What a request becomes when the store's clock has given it its instants."""

from __future__ import annotations

from taskkit.limits import resolve
from taskkit.task import NewTask, Task


def resolve_task(task: NewTask, now: int) -> Task:
    """Return the task that a request becomes."""
    expires = task.expires
    return Task(
        task.id,
        task.group,
        task.name,
        task.data,
        resolve(task.due, now),
        now,
        task.priority,
        0,
        task.scheduled,
        task.ttl,
        task.timeout,
        None if expires is None else resolve(expires, now),
        task.unique_key,
        task.unique_scope,
        task.lock_key,
        task.lock_limit,
        task.on_lost,
        task.max_lost,
        task.max_history,
        dict(task.labels),
    )
