"""The entries of a scheduler: those in code, and those that its state holds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo

from taskkit.errors import InvalidSchedule
from taskkit.schedule.entry import ScheduleEntry
from taskkit.schedule.forms import entry_form, entry_from, in_zone
from taskkit.schedule.state import EntryState, Form, States

logger = logging.getLogger("taskkit.schedule")


@dataclass(frozen=True, slots=True)
class _Stored:
    form: Form | None
    entry: ScheduleEntry | None


class Definitions:
    """Knows what each key of a scheduler means. Not thread-safe, as its scheduler is not."""

    __slots__ = ("_code", "_forms", "_scheduler", "_stored")

    def __init__(self, scheduler: str, code: Sequence[ScheduleEntry], tz: tzinfo) -> None:
        self._scheduler = scheduler
        self._code = {entry.key: entry for entry in code}
        self._forms = {entry.key: _copy(entry, tz) for entry in code}
        self._stored: dict[str, _Stored] = {}

    def entries(self, states: States) -> dict[str, ScheduleEntry]:
        """Return all entries that can be run. One in code stands before a stored one of its key."""
        stored = {key: self._read(key, state.form) for key, state in states.items() if state.stored}
        self._stored = stored
        readable = {key: each.entry for key, each in stored.items() if each.entry is not None}
        return readable | self._code

    def described(self, key: str, state: EntryState) -> EntryState:
        """Return the state with a copy of what the entry in code does, for people to look at."""
        if state.stored or key not in self._code:
            return state
        return replace(state, form=self._forms[key])

    def _read(self, key: str, form: Form | None) -> _Stored:
        known = self._stored.get(key)
        if known is not None and known.form == form:
            return known
        try:
            return _Stored(form, entry_from(key, form or {}))
        except InvalidSchedule:
            # It stays in the state, where a person, or a newer version, can put it right.
            logger.exception("scheduler %r: a stored entry cannot be run", self._scheduler)
            return _Stored(form, None)


def _copy(entry: ScheduleEntry, tz: tzinfo) -> Form:
    try:
        return entry_form(replace(entry, schedule=in_zone(entry.schedule, tz)))
    except InvalidSchedule:  # a schedule that only code can tell
        return {"group": entry.group, "name": entry.name, "text": repr(entry.schedule)[:200]}
