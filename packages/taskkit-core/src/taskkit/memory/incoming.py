"""What a request becomes when the store's clock has given it its instants."""

from __future__ import annotations

from taskkit.task import After, Instant, NewTask, Task


def resolve(instant: Instant, now: int) -> int:
    """Return an instant as the store's clock has it."""
    return now + instant.delay if isinstance(instant, After) else instant


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
