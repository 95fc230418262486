"""Unique keys: who holds which.

Each has an entry in a table of its own, with the id that holds it. Its primary key is the only
thing that inserts could meet at, and there they lock entries, never the gaps between them. An
entry counts only while its task says that it holds the slot, so whoever frees a slot locks nothing
here, and whoever wants some locks them in their own order: nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from taskkit_relational.dialects.mysql import texts as sql
from taskkit_relational.dialects.mysql.named import Named, parts, table
from taskkit_relational.statements import Cursor

Slot: TypeAlias = tuple[str, str]
"""A group and a key."""

_AT_ONCE: Final = 100

_PRESENT: Final = ("READ-COMMITTED", "READ-UNCOMMITTED")
"""Isolation in which every statement sees what has been committed before it."""


class Slots:
    """The unique keys of one store."""

    def __init__(self, named: Named) -> None:
        self._named = named

    def holders(self, cursor: Cursor, slots: Collection[Slot]) -> dict[Slot, str]:
        """Return the id that holds each slot that is held."""
        found: dict[Slot, str] = {}
        for some in parts(sorted(slots), _AT_ONCE):
            *rows, (_, _, isolation) = self._look(cursor, sql.HOLDERS, some)
            if isolation not in _PRESENT:
                # What is missing may only be hidden from this transaction.
                rows = self._look(cursor, sql.HOLDERS_NOW, some)
            found |= {(group, slot): task_id for group, slot, task_id in rows}
        return found

    def _look(self, cursor: Cursor, text: str, slots: Sequence[Slot]) -> list[tuple[str, str, str]]:
        query = text.replace("#slots", _conditions(slots))
        return self._named.rows(cursor, query, *_flat(slots))

    def take(self, cursor: Cursor, wanted: Mapping[Slot, str]) -> set[Slot]:
        """Take slots for ids, as far as they are free; return those that are the ids' now.

        It is for the caller to see to it that the tasks say so too.
        """
        for some in parts(sorted(wanted), _AT_ONCE):
            text = sql.LOCK_SLOTS.replace("#rows", ", ".join(["(%s, %s, %s)"] * len(some)))
            self._named.change(cursor, text, *_flat((*slot, wanted[slot]) for slot in some))
        # Now that they are locked: nobody else becomes a holder any more.
        free = sorted(wanted.keys() - self.holders(cursor, wanted).keys())
        for some in parts(free, _AT_ONCE):
            text = sql.HAND_OVER.replace("#rows", table(("grp", "slot", "id"), len(some)))
            rows = [(*slot, wanted[slot]) for slot in some]
            self._named.change(cursor, text, *[value.encode() for value in _flat(rows)])
        return set(free)

    def seize(self, cursor: Cursor, wanted: Mapping[Slot, str]) -> None:
        """Take slots for ids; the database's error for a duplicate where one is taken."""
        ours = self.take(cursor, wanted)
        for slot in sorted(wanted.keys() - ours):
            self._named.change(cursor, sql.ADD_SLOT, *slot, wanted[slot])

    def forget(self, cursor: Cursor, ids: Sequence[str]) -> None:
        """Remove the entries that stand for tasks which are about to be removed.

        Not those that somebody wants at this moment: they will stand for another task.
        """
        keys = sorted(self._named.listed_rows(cursor, sql.KEYS_OF, ids))
        for some in parts(keys, _AT_ONCE):
            mine = " OR ".join(["grp = %s AND slot = %s AND id = %s"] * len(some))
            query = sql.LEFT_SLOTS.replace("#slots", mine)
            left = self._named.rows(cursor, query, *_flat(some))
            if left:
                text = sql.REMOVE_SLOTS.replace("#slots", _conditions(left))
                self._named.change(cursor, text, *_flat(left))


def _conditions(slots: Sequence[Slot]) -> str:
    # Not as a list of pairs: MariaDB would not use the index for it.
    return "(" + " OR ".join(["s.grp = %s AND s.slot = %s"] * len(slots)) + ")"


def _flat(rows: Iterable[Iterable[str]]) -> list[str]:
    return [value for row in rows for value in row]
