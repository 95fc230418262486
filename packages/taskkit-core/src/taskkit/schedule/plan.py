"""What one entry has to do now, reckoned from what is remembered of it: no store, no clock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import tzinfo

from taskkit.ids import stable_id
from taskkit.schedule.entry import ScheduleEntry
from taskkit.schedule.missed import due_ticks
from taskkit.schedule.protocol import next_tick
from taskkit.schedule.state import EntryState, released
from taskkit.task import DEFAULT_TTL, NewTask


@dataclass(frozen=True, slots=True)
class EntryPlan:
    """What to put for an entry, and what to remember of it then."""

    state: EntryState
    ticks: tuple[int, ...] = ()
    next: int | None = None
    """The first tick that is not put yet; None if there is none, or the entry is paused."""


def plan_entry(
    entry: ScheduleEntry, state: EntryState | None, now: int, tz: tzinfo, limit: int
) -> EntryPlan:
    """Return what an entry has to do.

    One that is seen for the first time begins now: ticks before it are nobody's. One that was
    paused goes on from now: its ticks in between were not missed but not wanted.

    Raises:
        Exception: whatever a schedule of a user raises.
    """
    if state is None:
        state = EntryState(last=now)
    if entry.paused or state.paused:
        return EntryPlan(replace(state, held=True))
    state = released(state, now)
    due = due_ticks(
        lambda instant: next_tick(entry.schedule, instant, tz),
        state.last,
        now,
        entry.policy,
        limit,
    )
    return EntryPlan(replace(state, last=due.last), due.ticks, due.next)


def tick_task(scheduler: str, entry: ScheduleEntry, tick: int) -> NewTask:
    """Return the task of a tick. It is the same whoever makes it: a tick put twice is one task."""
    return NewTask(
        id=stable_id(entry.group, scheduler, entry.key, str(tick)),
        group=entry.group,
        name=entry.name,
        data=entry.data,
        due=tick,
        scheduled=tick,
        priority=entry.priority,
        ttl=DEFAULT_TTL if entry.result_ttl is None else entry.result_ttl,
        timeout=entry.timeout,
        labels=entry.labels,
    )
