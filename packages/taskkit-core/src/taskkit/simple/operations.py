"""``Operations`` and ``Controls`` on tables."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final, TypeAlias

from taskkit.clock import SECOND
from taskkit.limits import resolve
from taskkit.records import ALL_GROUPS, Answered, Count, Limits, Page, Query, Record
from taskkit.simple import transitions
from taskkit.simple.searching import counted, page
from taskkit.simple.tables import Tables, refuse_negative
from taskkit.task import Instant, State

REMEMBERED: Final = 86_400 * SECOND
"""Microseconds for which the end of a claim is known after its task is gone: it may be repeated."""

_Change: TypeAlias = Callable[[Record], Record | None]


def cancel(tables: Tables, ids: Collection[str], now: int) -> dict[str, Answered]:
    """Cancel what is unclaimed, mark what is running."""
    return _each(tables, ids, lambda each: transitions.cancelled(each, now))


def requeue(tables: Tables, ids: Collection[str], due: Instant, now: int) -> dict[str, Answered]:
    """Queue what failed, was lost or cancelled."""
    return _each(
        tables, ids, lambda each: transitions.requeued(each, due, now, tables.holder(each.task))
    )


def reschedule(tables: Tables, ids: Collection[str], due: Instant, now: int) -> dict[str, Answered]:
    """Change the due of what is unclaimed."""
    return _each(tables, ids, lambda each: transitions.rescheduled(each, due, now))


def _each(tables: Tables, ids: Collection[str], change: _Change) -> dict[str, Answered]:
    answers: dict[str, Answered] = {}
    for task_id in dict.fromkeys(ids):
        record = tables.tasks.get(task_id)
        after = None if record is None else change(record)
        if after is not None:
            tables.keep(after)
            running = after.state is State.RUNNING
            answers[task_id] = Answered.REQUESTED if running else Answered.DONE
        else:
            answers[task_id] = Answered.UNKNOWN if record is None else Answered.REFUSED
    return answers


def delete(tables: Tables, ids: Collection[str]) -> dict[str, Answered]:
    """Remove tasks in any state."""
    known = tables.tasks.keys() & set(ids)
    for task_id in known:
        tables.remove(task_id)
    return {name: Answered.DONE if name in known else Answered.UNKNOWN for name in ids}


def purge(
    tables: Tables, limit: int, states: Collection[State] | None, older_than: int | None, now: int
) -> int:
    """Remove finished tasks."""
    refuse_negative("limit", limit)
    found = [
        name
        for name, each in tables.tasks.items()
        if transitions.purged(each, now, states, older_than)
    ][:limit]
    for task_id in found:
        tables.remove(task_id)
    if states is None and older_than is None:
        for record in [*tables.tasks.values()]:
            if transitions.is_expired(record, now):
                tables.keep(transitions.expired(record, now))
        gone = tables.ended.keys() - tables.tasks.keys()
        for task_id in [each for each in gone if tables.ended[each][2] + REMEMBERED <= now]:
            tables.remove(task_id)
    return len(found)


def count(tables: Tables, groups: Collection[str] | None, now: int) -> list[Count]:
    """Count by group and state."""
    return counted(tables.seen(now), groups)


def find(tables: Tables, query: Query, limit: int, after: str | None, now: int) -> Page:
    """Return a page, by ids."""
    return page(tables.seen(now), query, limit, after)


def pause(tables: Tables, groups: Collection[str] | None, until: Instant | None, now: int) -> None:
    """Stop claims."""
    end = None if until is None else resolve(until, now)
    tables.pauses |= dict.fromkeys(_names(groups), end)


def resume(tables: Tables, groups: Collection[str] | None) -> None:
    """Lift pauses."""
    for group in [*tables.pauses] if groups is None else groups:
        tables.pauses.pop(group, None)


def stop(tables: Tables, groups: Collection[str] | None) -> None:
    """Tell the workers of now."""
    for stopped in tables.stopped.values():
        stopped.extend(_names(groups))


def configure(tables: Tables, group: str, limits: Limits) -> None:
    """Set limits."""
    tables.limits[group] = limits


def _names(groups: Collection[str] | None) -> Collection[str]:
    return [ALL_GROUPS] if groups is None else groups
