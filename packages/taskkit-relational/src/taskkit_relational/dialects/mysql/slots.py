"""Unique keys: who holds which.

Their table has no gaps that are locked and no entry that is shared, and they are always locked in
their own order. So whoever takes some and whoever frees some wait for each other at most, and
never in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from taskkit_relational.dialects.mysql import texts as sql
from taskkit_relational.dialects.mysql.named import Named, parts
from taskkit_relational.statements import Cursor

Slot: TypeAlias = tuple[str, str]
"""A group and a key."""

_AT_ONCE: Final = 100


class Slots:
    """The unique keys of one store."""

    def __init__(self, named: Named) -> None:
        self._named = named

    def holders(self, cursor: Cursor, slots: Collection[Slot]) -> dict[Slot, str]:
        """Return the id that holds each slot that is held."""
        return self._look(cursor, sql.HOLDERS, slots)

    def holders_now(self, cursor: Cursor, slots: Collection[Slot]) -> dict[Slot, str]:
        """As ``holders``; also sees what the snapshot of a caller's transaction does not."""
        found = self.holders(cursor, slots)
        hidden = [slot for slot in slots if slot not in found]
        return found | self._look(cursor, sql.HOLDERS_NOW, hidden) if hidden else found

    def _look(self, cursor: Cursor, text: str, slots: Collection[Slot]) -> dict[Slot, str]:
        found: dict[Slot, str] = {}
        for some in parts(sorted(slots), _AT_ONCE):
            query = text.replace("#slots", _conditions(some))
            for group, slot, task_id in self._named.rows(cursor, query, *_flat(some)):
                found[group, slot] = task_id
        return found

    def take(self, cursor: Cursor, wanted: Mapping[Slot, str]) -> set[Slot]:
        """Take slots for ids, as far as they are free; return those that are the ids' now."""
        for some in parts(sorted(wanted), _AT_ONCE):
            text = sql.TAKE_SLOTS.replace("#rows", ", ".join(["(%s, %s, %s)"] * len(some)))
            self._named.change(cursor, text, *_flat((*slot, wanted[slot]) for slot in some))
        # The count of changed rows says nothing: how it counts is a matter of the connection.
        holders = self.holders(cursor, wanted)
        return {slot for slot in wanted if holders.get(slot) == wanted[slot]}

    def seize(self, cursor: Cursor, wanted: Mapping[Slot, str]) -> None:
        """Take slots for ids; the database's error for a duplicate where one is taken."""
        ours = self.take(cursor, wanted)
        for slot in sorted(wanted.keys() - ours):
            self._named.change(cursor, sql.SEIZE_SLOT, *slot, wanted[slot])

    def free(self, cursor: Cursor, slots: Collection[Slot]) -> None:
        """Free slots."""
        for some in parts(sorted(slots), _AT_ONCE):
            text = sql.FREE_SLOTS.replace("#slots", _conditions(some))
            self._named.change(cursor, text, *_flat(some))

    def of(self, cursor: Cursor, ids: Sequence[str]) -> dict[str, Slot]:
        """Return the slots that tasks hold, as their own rows say."""
        rows = self._named.listed_rows(cursor, sql.SLOTS_OF, ids)
        return {task_id: (group, slot) for task_id, group, slot in rows}


def _conditions(slots: Sequence[Slot]) -> str:
    # Not as a list of pairs: MariaDB would not use the index for it.
    return " OR ".join(["grp = %s AND slot = %s"] * len(slots))


def _flat(rows: Iterable[Iterable[str]]) -> list[str]:
    return [value for row in rows for value in row]
