"""The candidates of a claim."""

from __future__ import annotations

from taskkit_relational.dialects.mysql import texts as sql
from taskkit_relational.dialects.mysql.named import Named
from taskkit_relational.statements import Cursor, Values


class Candidates:
    """Reads ready tasks, mostly in the way that suits those that were read last."""

    def __init__(self, named: Named) -> None:
        self._named = named
        self._are_plain = True
        """A guess, which several threads may change at once: it costs or saves time, no more."""

    def first(self, cursor: Cursor, group: str, now: int, limit: int) -> list[Values]:
        """Return the first ready tasks (``schema.CLAIMED``) in claim order, locked."""
        if not self._are_plain:
            rows = self._named.rows(cursor, sql.READY, group, now, limit)
            self._are_plain = sum(map(_is_plain, rows)) * 2 >= len(rows)
            return rows
        found = self._named.rows(cursor, sql.READY_PLAIN, group, now, limit)
        special = [row[0] for row in found if not row[7]]
        if not special:
            return [_claimed(row, group) for row in found]
        self._are_plain = len(special) * 2 <= len(found)
        whole = {row[0]: row for row in self._named.listed_rows(cursor, sql.WHOLE, special)}
        return [_claimed(row, group) if row[7] else whole[row[0]] for row in found]


def _claimed(row: Values, group: str) -> Values:
    task_id, name, data, due, created, priority, retention, _ = row
    return (
        task_id, task_id, group, name, data, due, created, priority, 0, retention,
        None, None, None, None, 1, None, None, 0, 0,
    )  # fmt: skip


def _is_plain(row: Values) -> bool:
    return not row[8] and list(row[10:]) == [None, None, None, None, 1, None, None, 0, 0]
