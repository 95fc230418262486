"""``kit.schedules``: entries that are added, changed, paused and removed at run time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Final, Protocol, TypeAlias

from taskkit.backend import Queue
from taskkit.backend import Schedules as ScheduleStore
from taskkit.clock import to_datetime
from taskkit.errors import InvalidSchedule, Unavailable
from taskkit.handler import TaskHandler, completed
from taskkit.ids import new_id
from taskkit.schedule.entry import ScheduleEntry, ScheduleEntryCompat, check_scheduler, to_entry
from taskkit.schedule.forms import entry_form, entry_from, in_zone, with_data
from taskkit.schedule.plan import tick_task
from taskkit.schedule.protocol import next_tick
from taskkit.schedule.scheduler import STORED
from taskkit.schedule.state import EntryState, decode_states, encode_states, released
from taskkit.shown import shown
from taskkit.task import NOW

MAX_STORED: Final = 1_000
"""Stored entries of one scheduler, and …"""
MAX_STORED_DATA: Final = 16 * 1024
"""… bytes of data of each: all of them together are one value, written at every tick."""
MAX_PREVIEW: Final = 1_000

_ATTEMPTS: Final = 50


class _Store(Queue, ScheduleStore, Protocol):
    """What the facade needs of a backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedEntry:
    """What is known of an entry, for people to look at."""

    scheduler: str
    key: str
    stored: bool
    """Added at run time; otherwise defined in code."""
    group: str
    name: str
    schedule: str
    """The schedule as one would write it."""
    paused: bool
    done_until: datetime
    """Every tick up to here has been put or passed over."""
    next: tuple[datetime, ...]
    """Ticks to come; empty while it is paused, and where only code knows them."""


# Named here because inside the class `list` is its method.
_Listing: TypeAlias = list[ListedEntry]


class Schedules:
    """The entries of a scheduler, changed while it runs. Thread-safe.

    Each method reads the scheduler's state, changes one entry in it and writes it back if nobody
    else did meanwhile, else begins again: no change is lost and no other entry is touched. Running
    schedulers see a change within five seconds, or two once they have anything stored or paused.

    All of them raise ``Unavailable`` when the state changes faster than it can be changed, and
    ``InvalidSchedule`` for an unknown key.
    """

    __slots__ = ("_backend", "_handler", "_tz")

    def __init__(self, backend: _Store, handler: TaskHandler, tzinfo: tzinfo | None = None) -> None:
        self._backend = backend
        self._handler = handler
        self._tz = UTC if tzinfo is None else tzinfo

    def add(self, entry: ScheduleEntryCompat, scheduler: str = STORED) -> None:
        """Store an entry, or replace the stored one of the same key.

        A new one begins now. A replaced one goes on from its last tick, and stays paused if
        somebody paused it.

        Args:
            entry: A ``ScheduleEntry`` with encoded data, or a dict with data that is not encoded.
                A schedule without a zone of its own gets that of this kit's schedules, UTC.
            scheduler: Which scheduler runs it; every worker with services runs ``"stored"``.

        Raises:
            InvalidSchedule: it cannot be understood or stored, or its key is defined in code.
        """
        given = to_entry(entry, self._handler.encode_data)
        given = replace(given, schedule=in_zone(given.schedule, self._tz))
        if len(given.data) > MAX_STORED_DATA:
            raise InvalidSchedule(
                f"entry {given.key!r}: expected at most {MAX_STORED_DATA} bytes of data, found "
                f"{len(given.data)}; store it elsewhere and pass its address"
            )
        form = with_data(entry_form(given), given.data)

        def change(states: dict[str, EntryState], now: int) -> None:
            known = states.get(given.key)
            if known is not None and not known.stored:
                raise InvalidSchedule(
                    f"entry {given.key!r} of scheduler {scheduler!r} is defined in code: change "
                    "it there, or choose another key"
                )
            if known is None and len(states) >= MAX_STORED:
                raise InvalidSchedule(
                    f"scheduler {scheduler!r}: expected at most {MAX_STORED} stored entries"
                )
            before = EntryState(last=now) if known is None else released(known, now)
            states[given.key] = replace(before, stored=True, form=form)

        self._change(scheduler, change)

    def remove(self, key: str, scheduler: str = STORED) -> None:
        """Remove a stored entry; tasks that it has put, at most two seconds ahead, stay.

        Raises:
            InvalidSchedule: there is none of this key, or it is defined in code.
        """

        def change(states: dict[str, EntryState], _now: int) -> None:
            if not _known(states, key, scheduler).stored:
                raise InvalidSchedule(
                    f"entry {key!r} of scheduler {scheduler!r} is defined in code: remove it "
                    "there, or pause it"
                )
            del states[key]

        self._change(scheduler, change)

    def pause(self, key: str, scheduler: str = STORED) -> None:
        """Let an entry's ticks pass without tasks, from now until resumed, wherever it is defined.

        To pause twice is no error. One in code is known once a scheduler has run it.
        """

        def change(states: dict[str, EntryState], _now: int) -> None:
            states[key] = replace(_known(states, key, scheduler), paused=True, held=True)

        self._change(scheduler, change)

    def resume(self, key: str, scheduler: str = STORED) -> None:
        """Let an entry go on from now; what lay in the pause is not made up for.

        One that is paused in code stays so.
        """

        def change(states: dict[str, EntryState], now: int) -> None:
            known = _known(states, key, scheduler)
            if known.paused:
                states[key] = replace(released(known, now), paused=False)

        self._change(scheduler, change)

    def list(self, scheduler: str = STORED, preview: int = 3) -> _Listing:
        """Return a scheduler's entries ordered by key, with up to ``preview`` ticks to come.

        Entries in code are among them once their scheduler has run them.
        """
        if isinstance(preview, bool) or not isinstance(preview, int):
            raise InvalidSchedule(f"preview: expected a whole number, found {shown(preview)}")
        loaded = self._backend.load_schedule(check_scheduler(scheduler))
        states = decode_states(loaded.state)
        count = max(0, min(preview, MAX_PREVIEW))
        return [
            self._listed(scheduler, key, states[key], loaded.now, count) for key in sorted(states)
        ]

    def run_now(self, key: str, scheduler: str = STORED) -> str:
        """Put a task of a stored entry at once, beside its ticks and paused or not.

        Returns:
            The task's id.

        Raises:
            InvalidSchedule: there is no such entry, or it is defined in code: its data is not in
                the store.
        """
        loaded = self._backend.load_schedule(check_scheduler(scheduler))
        state = _known(decode_states(loaded.state), key, scheduler)
        if not state.stored:
            raise InvalidSchedule(
                f"entry {key!r} of scheduler {scheduler!r} is defined in code, and its data is not "
                "in the store: use kit.initiate_task() with its group, name and data"
            )
        entry = entry_from(key, state.form or {})
        task = replace(
            completed(self._handler, tick_task(scheduler, entry, loaded.now)),
            id=new_id(entry.group),
            due=NOW,
            scheduled=None,
        )
        self._backend.put([task])
        return task.id

    def _change(self, scheduler: str, change: Callable[[dict[str, EntryState], int], None]) -> None:
        name = check_scheduler(scheduler)
        for _ in range(_ATTEMPTS):
            loaded = self._backend.load_schedule(name)
            states = decode_states(loaded.state)
            before = dict(states)
            change(states, loaded.now)
            if states == before:
                return
            if self._backend.advance_schedule(name, loaded.version, encode_states(states), ()):
                return
        raise Unavailable(
            f"the state of scheduler {scheduler!r} was changed by others {_ATTEMPTS} times in a "
            "row; try again"
        )

    def _listed(
        self, scheduler: str, key: str, state: EntryState, now: int, count: int
    ) -> ListedEntry:
        form = state.form or {}
        try:
            entry = entry_from(key, form)
        except InvalidSchedule:
            entry = None  # of a kind that only code knows, or unreadable
        paused = state.paused or state.held or form.get("paused") is True
        return ListedEntry(
            scheduler=scheduler,
            key=key,
            stored=state.stored,
            group=str(form.get("group", "")),
            name=str(form.get("name", "")),
            schedule=str(form.get("text", "")) if entry is None else repr(entry.schedule),
            paused=paused,
            done_until=to_datetime(state.last),
            next=() if paused or entry is None else self._next(entry, max(state.last, now), count),
        )

    def _next(self, entry: ScheduleEntry, instant: int, count: int) -> tuple[datetime, ...]:
        ticks: list[datetime] = []
        while len(ticks) < count:
            tick = next_tick(entry.schedule, instant, self._tz)
            if tick is None:
                break
            ticks.append(to_datetime(tick, self._tz))
            instant = tick
        return tuple(ticks)


def _known(states: dict[str, EntryState], key: object, scheduler: str) -> EntryState:
    state = states.get(key) if isinstance(key, str) else None
    if state is None:
        known = ", ".join(repr(each) for each in sorted(states)[:20]) or "none"
        raise InvalidSchedule(
            f"no entry {key!r} of scheduler {scheduler!r} in the store; there are: {known}"
        )
    return state
