"""Operating a kit: the methods of ``Kit`` that look at tasks and change their fate."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from taskkit.clock import micros
from taskkit.convert import Moment, to_when
from taskkit.errors import InvalidSetting
from taskkit.limits import (
    check_duration,
    check_group,
    check_id,
    check_instant,
    check_int,
    check_query,
    labels_of,
)
from taskkit.records import (
    Answered,
    Control,
    Count,
    Limits,
    Page,
    Query,
    Rate,
    WorkerRecord,
)
from taskkit.result import Result
from taskkit.task import NOW, Instant, Label, State

if TYPE_CHECKING:
    from taskkit.kit import Kit

TaskRef: TypeAlias = str | Result[Any]
"""A task's id, or its result."""

Groups: TypeAlias = Iterable[str] | str | None
"""Groups with their subgroups: None is all, an empty list none, one name itself."""

States: TypeAlias = Iterable[State | str] | State | str | None
"""Some states, one, or None for any."""

PURGE_BATCH: Final = 1_000
MAX_RATE: Final = 10_000
"""Starts that a group's rate may count: a store remembers each of a period."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a store holds, who works on it, and what is paused and limited."""

    counts: Sequence[Count]
    workers: Sequence[WorkerRecord]
    control: Control

    def count(self, group: str | None = None, state: State | str | None = None) -> int:
        """Return how many tasks are in a group (None: any) and state (None: any)."""
        return sum(
            c.count for c in self.counts if group in (None, c.group) and state in (None, c.state)
        )


# ---- one task


def cancel(kit: Kit, task: TaskRef) -> Answered:
    """Cancel a task: at once and for ever while unclaimed, through its worker while it runs."""
    return _one(kit.backend.cancel, task)


def requeue(kit: Kit, task: TaskRef, due: Moment | None = None) -> Answered:
    """Put a failed, lost or cancelled task back in the queue, its history kept."""
    instant = _due(due)
    return _one(lambda ids: kit.backend.requeue(ids, instant), task)


def reschedule(kit: Kit, task: TaskRef, due: Moment) -> Answered:
    """Change the due of an unclaimed task."""
    instant = _due(due)
    return _one(lambda ids: kit.backend.reschedule(ids, instant), task)


def delete(kit: Kit, task: TaskRef) -> Answered:
    """Remove a task in any state, without trace."""
    return _one(kit.backend.delete, task)


def _one(operation: Callable[[Collection[str]], dict[str, Answered]], task: TaskRef) -> Answered:
    task_id = task.id if isinstance(task, Result) else task
    check_id(task_id)
    return operation([task_id])[task_id]


def _due(due: Moment | None) -> Instant:
    instant = NOW if due is None else to_when("due", due)
    check_instant("due", instant)
    return instant


# ---- many tasks


def find(
    kit: Kit,
    group: str | None = None,
    state: States = None,
    name: str | None = None,
    labels: Mapping[str, Label] | None = None,
    *,
    subgroups: bool = False,
    limit: int = 100,
    after: str | None = None,
) -> Page:
    """Return a page of the tasks that match all that is given, ordered by id.

    Args:
        kit: The kit.
        group: Of this group …
        state: … in one of these states …
        name: … of this name …
        labels: … with all of these labels.
        subgroups: With ``group``: of its subgroups too.
        limit: Tasks on a page.
        after: ``next`` of the page before.
    """
    wanted = {} if labels is None else labels_of(labels)
    query = Query(group, subgroups, _states(state), name, wanted)
    check_query(query, limit, after)
    return kit.backend.find(query, limit, after)


def purge(kit: Kit, states: States = None, older_than: timedelta | float | None = None) -> int:
    """Remove finished tasks, in batches so that no transaction is long, and return how many.

    Without arguments those that have outlived their ttl; else those in ``states`` (None: any)
    that finished at least ``older_than`` ago, whatever their ttl.
    """
    wanted = _states(states)
    before = None
    if older_than is not None:
        check_duration(
            "older_than",
            older_than.total_seconds() if isinstance(older_than, timedelta) else older_than,
        )
        # The store's now, not ours: the tasks finished by its clock.
        before = kit.backend.load_schedule("taskkit.purge").now - micros(older_than)
    removed = 0
    while True:
        batch = kit.backend.purge(PURGE_BATCH, states=wanted, older_than=before)
        removed += batch
        if batch < PURGE_BATCH:
            return removed


def stats(kit: Kit, groups: Groups = None) -> Stats:
    """Return counts by group and state, the workers, and what is paused and limited."""
    backend = kit.backend
    return Stats(backend.count(_names(groups)), backend.workers(), backend.control())


def _states(states: States) -> frozenset[State] | None:
    if states is None:
        return None
    try:
        named = [states] if isinstance(states, str) else list(states)
        return frozenset(State(name) for name in named)
    except (TypeError, ValueError) as error:
        raise InvalidSetting(
            f"state: expected some of {', '.join(State)}, found {states!r}"
        ) from error


# ---- groups


def pause(kit: Kit, groups: Groups = None, until: Moment | None = None) -> None:
    """Stop claims in groups and their subgroups, for a time or until they are resumed.

    Reaches every worker with its next heartbeat, and those that start later. What runs goes on.
    """
    end = None
    if until is not None:
        end = to_when("until", until)
        check_instant("until", end)
    kit.backend.pause(_names(groups), end)


def resume(kit: Kit, groups: Groups = None) -> None:
    """Lift the pauses of exactly these groups (None: every pause)."""
    kit.backend.resume(_names(groups))


def shutdown(kit: Kit, groups: Groups = None) -> None:
    """Have the workers that run now stop serving these groups; without any left, they end."""
    kit.backend.stop(_names(groups))


def configure(
    kit: Kit,
    group: str,
    *,
    max_running: int | None = None,
    rate: tuple[int, float] | None = None,
    max_queue_size: int | None = None,
) -> None:
    """Set the limits of a group (not of its subgroups), which hold across all workers.

    Args:
        kit: The kit.
        group: The group.
        max_running: Tasks that run at a time.
        rate: ``(n, period)``: at most n starts in any period of so many seconds.
        max_queue_size: Unclaimed tasks; a put beyond it raises ``QueueFull``.
    """
    check_group(group)
    if max_running is not None:
        check_int("max_running", max_running, 0, 1_000_000)
    if max_queue_size is not None:
        check_int("max_queue_size", max_queue_size, 0, 1 << 53)
    limits = Limits(max_running, None if rate is None else _rate(rate), max_queue_size)
    kit.backend.configure(group, limits)


def _rate(rate: object) -> Rate:
    if not isinstance(rate, tuple | list) or len(rate) != 2:
        raise InvalidSetting(
            f"rate: expected (n, period), such as (100, 60) for 100 a minute, found {rate!r}"
        )
    limit, period = rate
    check_int("rate", limit, 1, MAX_RATE)
    check_duration("period of rate", period, zero=False)
    return Rate(limit, period)


def _names(groups: Groups) -> Collection[str] | None:
    if groups is None:
        return None
    if not isinstance(groups, Iterable):
        raise InvalidSetting(
            f"groups: expected one name, several, or None for all, found {groups!r}"
        )
    listed = [groups] if isinstance(groups, str) else list(groups)
    for group in listed:
        check_group(group)
    return listed
