"""Operations on tasks as people ask for them: what they type becomes what the backend takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from taskkit.clock import SystemClock, micros
from taskkit.convert import Moment, to_when
from taskkit.errors import InvalidSetting
from taskkit.limits import check_duration, check_group, check_instant, check_int, check_task
from taskkit.records import (
    Answered,
    Claim,
    Control,
    Count,
    Limits,
    Outcome,
    Query,
    Rate,
    Settlement,
    WorkerRecord,
)
from taskkit.result import Result
from taskkit.task import NOW, After, Instant, Label, NewTask, State, Task

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.kit import Kit

TaskRef: TypeAlias = str | Result[Any]
"""A task's id, or its result."""

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
            c.count
            for c in self.counts
            if group in (None, c.group) and state in (None, c.state)
        )


def run_eagerly(kit: Kit, task: NewTask) -> Result[Any]:
    """Run a task here and now and record its outcome; it never enters a queue and never retries."""
    from taskkit.context import TaskContext
    from taskkit.worker.execution import Execution

    check_task(task, kit.max_data_bytes)
    now = SystemClock().now()
    fields = {name: getattr(task, name) for name in NewTask.__slots__}
    fields["due"] = _absolute(task.due, now)
    fields["expires"] = None if task.expires is None else _absolute(task.expires, now)
    claim = Claim(Task(**fields, created=now), token=1, attempt=1, losses=0, began=now)
    execution = Execution(kit.handler, kit.hooks, kit.max_data_bytes, "fail")
    settlement = execution.run(claim, TaskContext(claim, "eager"))
    if settlement.outcome is not Outcome.DISCARD:
        if settlement.outcome is not Outcome.SUCCEED:
            settlement = replace(settlement, outcome=Outcome.FAIL)
        kit.backend.record(task, settlement, now)
    return Result(kit, task.id)


def _absolute(instant: Instant, now: int) -> int:
    return now + instant.delay if isinstance(instant, After) else instant


def one(operation: Callable[[Collection[str]], dict[str, Answered]], task: TaskRef) -> Answered:
    """Apply an operation to one task and return its answer."""
    task_id = task.id if isinstance(task, Result) else task
    return operation([task_id])[task_id]


def when(due: Moment | None) -> Instant:
    """Return a due that a person gave; None is now."""
    instant = NOW if due is None else to_when("due", due)
    check_instant("due", instant)
    return instant


def until(moment: Moment | None) -> Instant | None:
    """Return the end of a pause; None is "until resumed"."""
    return None if moment is None else to_when("until", moment)


def names(groups: Iterable[str] | str | None) -> Collection[str] | None:
    """Return group names: None stays None (all), one name is a list of one, empty stays empty."""
    if groups is None:
        return None
    listed = [groups] if isinstance(groups, str) else list(groups)
    for group in listed:
        check_group(group)
    return listed


def states(state: Iterable[State | str] | State | str | None) -> frozenset[State] | None:
    """Return states that a person named, or None for any."""
    if state is None:
        return None
    named = [state] if isinstance(state, str) else list(state)
    try:
        return frozenset(State(name) for name in named)
    except ValueError as error:
        raise InvalidSetting(
            f"state: expected some of {', '.join(State)}, found {named!r}"
        ) from error


def query(
    group: str | None,
    state: Iterable[State | str] | State | str | None,
    name: str | None,
    labels: Mapping[str, Label] | None,
    *,
    subgroups: bool,
) -> Query:
    """Return which tasks are asked for."""
    return Query(group, subgroups, states(state), name, dict(labels or {}))


def limits(
    group: str, max_running: int | None, rate: tuple[int, float] | None, max_queue_size: int | None
) -> Limits:
    """Return the limits of a group, checked."""
    check_group(group)
    if max_running is not None:
        check_int("max_running", max_running, 0, 1_000_000)
    if max_queue_size is not None:
        check_int("max_queue_size", max_queue_size, 0, 1 << 53)
    if rate is not None:
        check_int("rate", rate[0], 1, MAX_RATE)
        check_duration("period of rate", rate[1], zero=False)
    return Limits(max_running, None if rate is None else Rate(*rate), max_queue_size)


def purge(
    backend: Backend,
    state: Iterable[State | str] | State | str | None,
    older_than: timedelta | float | None,
) -> int:
    """Remove finished tasks in batches until none is left, so that no transaction is long."""
    wanted = states(state)
    # The store's now, not ours: the age was reckoned by its clock.
    before = None
    if older_than is not None:
        before = backend.load_schedule("taskkit.purge").now - micros(older_than)
    removed = 0
    while True:
        batch = backend.purge(PURGE_BATCH, states=wanted, older_than=before)
        removed += batch
        if batch < PURGE_BATCH:
            return removed


def stats(backend: Backend, groups: Iterable[str] | None) -> Stats:
    """Return counts, workers, pauses and limits."""
    return Stats(backend.count(names(groups)), backend.workers(), backend.control())
