"""The scheduler: puts a task at each tick of its entries, once, however many schedulers run."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Final

from taskkit.backend import Schedules
from taskkit.clock import SECOND, seconds
from taskkit.errors import Corrupt, InvalidTask
from taskkit.handler import TaskHandler, completed
from taskkit.limits import LATEST
from taskkit.records import ScheduleState
from taskkit.schedule.definitions import Definitions
from taskkit.schedule.entry import ScheduleEntry, check_scheduler, distinct
from taskkit.schedule.plan import EntryPlan, plan_entry, tick_task
from taskkit.schedule.state import EntryState, States, decode_states, encode_states
from taskkit.schedule.trouble import Troubles
from taskkit.task import NewTask

logger = logging.getLogger("taskkit.schedule")

LEAD: Final = SECOND
"""How long before a tick the scheduler comes back to put it. It then puts all ticks of the next two
seconds (``HORIZON``), so an entry that fires every second costs one write in two seconds, and one
that is paused or removed leaves at most two seconds of tasks behind."""

POLL: Final = 5.0
"""Seconds after which the scheduler looks at its state though no tick is near: somebody may have
added, resumed or run something."""

BUSY_POLL: Final = 2.0
"""The same while its state holds stored or paused entries, which people are likelier to change."""

SHORTEST: Final = 0.01
TICKS_A_STEP: Final = 1_000
"""How many ticks one step puts at most, over all entries: a year of missed ones (``all``) becomes
many small transactions instead of one huge one."""

FORGET_AFTER: Final = 30 * 24 * 3600 * SECOND
"""For how long the memory of an entry outlives it: during a rolling deployment old and new code
run side by side, and must not forget each other's entries."""

_ATTEMPTS: Final = 3
_FAR: Final = 60 * SECOND

STORED: Final = "stored"
"""The scheduler of the entries that are added at run time."""


@dataclass(slots=True)
class _Step:
    """One step in the making."""

    now: int
    states: dict[str, EntryState]
    tasks: list[NewTask] = field(default_factory=list)
    wake: int = LATEST
    """When the next step has something to do."""

    def wake_at(self, instant: int) -> None:
        self.wake = min(self.wake, instant)


class Scheduler:
    """Runs the entries of one scheduler name: those given, and those that its state holds.

    Any number of them may run under one name, in any processes: what was done is remembered in the
    store and changed by compare-and-set together with the tasks, so each tick is put exactly once.
    Not thread-safe: one thread calls ``step``.

    Args:
        backend: The store.
        name: The scheduler's name: whoever has the same name shares the work.
        entries: What is defined in code.
        tzinfo: The zone of schedules that have none of their own; UTC if None.
        handler: Adds what it knows of the entries' tasks, such as a timeout (``Completing``).
    """

    def __init__(
        self,
        backend: Schedules,
        name: str,
        entries: Sequence[ScheduleEntry] = (),
        tzinfo: tzinfo | None = None,
        handler: TaskHandler | None = None,
    ) -> None:
        self.name = check_scheduler(name)
        self._handler = handler
        self._backend = backend
        self._tz = UTC if tzinfo is None else tzinfo
        self._definitions = Definitions(name, distinct(name, entries), self._tz)
        self._troubles = Troubles()
        self._warned: set[str] = set()
        self._version = -1
        # Nothing is to be done in between, unless the state changes.
        self._seen = self._wake = 0
        self._poll = POLL
        # Schedulers that all wake up at one moment would race for every tick; up to 0.2 s apart,
        # most of them find it done.
        self._lag = os.urandom(1)[0] / 256 * 0.2

    def step(self) -> float:
        """Put what is due or nearly due; return in how many seconds to call again.

        That is never more than ``POLL``. Each tick's task has ``due`` and ``scheduled`` = tick and
        an id made from scheduler, key and tick. Tasks and memory change together or not at all.

        Raises:
            BackendError: the store failed, or its state is of a newer taskkit; nothing was done,
                and the next step does what is due then.
        """
        for _ in range(_ATTEMPTS):
            loaded = self._backend.load_schedule(self.name)
            if loaded.version == self._version and self._seen <= loaded.now < self._wake:
                return self._pause(loaded.now)
            states = self._read(loaded)
            step = self._plan(states, loaded.now)
            version = loaded.version
            if step.states != states:
                state = encode_states(step.states)
                if not self._backend.advance_schedule(self.name, version, state, step.tasks):
                    continue  # another scheduler was faster: see what it has left to do
                version += 1
            self._remember(version, step)
            return self._pause(loaded.now)
        return SHORTEST

    def _read(self, loaded: ScheduleState) -> dict[str, EntryState]:
        try:
            return decode_states(loaded.state)
        except Corrupt:
            # To stop for ever would be worse than to miss what was missed.
            logger.exception(
                "scheduler %r: its state cannot be read; it starts afresh from now", self.name
            )
            return {}

    def _plan(self, states: States, now: int) -> _Step:
        entries = self._definitions.entries(states)
        step = _Step(now, _remembered(states, entries, now))
        # Each entry has its share, so that one with a year to make up for holds nobody back.
        limit = max(1, TICKS_A_STEP // max(1, len(entries)))
        for key, entry in entries.items():
            again = self._troubles.until(key, now)
            plan = self._plan_entry(entry, states.get(key), now, limit) if again is None else None
            if plan is None:
                step.wake_at(self._troubles.until(key, now) or now)
                continue
            self._warn_of_far(key, plan, now)
            if plan.state != states.get(key):
                step.states[key] = self._definitions.described(key, plan.state)
            step.tasks.extend(self._task(entry, tick) for tick in plan.ticks)
            if plan.next is not None:
                step.wake_at(plan.next - LEAD)
        return step

    def _task(self, entry: ScheduleEntry, tick: int) -> NewTask:
        task = tick_task(self.name, entry, tick)
        try:
            return completed(self._handler, task)
        except InvalidTask:
            # Data that does not fit the function: that is the task's failure, to be seen in it.
            logger.warning("schedule %r: data of entry %r does not fit", self.name, entry.key)
            return task

    def _plan_entry(
        self, entry: ScheduleEntry, state: EntryState | None, now: int, limit: int
    ) -> EntryPlan | None:
        try:
            plan = plan_entry(entry, state, now, self._tz, limit)
        except Exception:  # a schedule of a user may raise anything; the others must go on
            again = self._troubles.failed(entry.key, now)
            logger.exception(
                "scheduler %r: the schedule of entry %r failed; it is asked again in %.0f s",
                self.name,
                entry.key,
                seconds(again - now),
            )
            return None
        self._troubles.succeeded(entry.key)
        return plan

    def _warn_of_far(self, key: str, plan: EntryPlan, now: int) -> None:
        if plan.state.last > now + _FAR and key not in self._warned:
            self._warned.add(key)
            logger.warning(
                "scheduler %r: entry %r has been run up to %.0f s from now, so the store's clock "
                "was set back; it waits for that moment, because no tick may come twice",
                self.name,
                key,
                seconds(plan.state.last - now),
            )

    def _remember(self, version: int, step: _Step) -> None:
        self._version, self._seen, self._wake = version, step.now, step.wake
        watched = any(state.stored or state.paused for state in step.states.values())
        self._poll = BUSY_POLL if watched else POLL

    def _pause(self, now: int) -> float:
        if self._wake <= now:
            return SHORTEST
        return min(self._poll, max(SHORTEST, seconds(self._wake - now) + self._lag))


def schedulers(
    backend: Schedules,
    entries: Mapping[str, Sequence[ScheduleEntry]],
    tzinfo: tzinfo | None = None,
    handler: TaskHandler | None = None,
) -> list[Scheduler]:
    """Return what a worker has to step: one scheduler a name, and the one of stored entries."""
    named: dict[str, Sequence[ScheduleEntry]] = {STORED: (), **entries}
    return [Scheduler(backend, name, given, tzinfo, handler) for name, given in named.items()]


def _remembered(
    states: States, entries: Mapping[str, ScheduleEntry], now: int
) -> dict[str, EntryState]:
    return {
        key: state
        for key, state in states.items()
        if key in entries or state.stored or state.last > now - FORGET_AFTER
    }
