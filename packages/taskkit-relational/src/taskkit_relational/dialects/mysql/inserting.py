"""Nothing → waiting or ready."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from taskkit_relational.dialects.mysql import texts as sql
from taskkit_relational.dialects.mysql.named import DUPLICATE, Named, number_of, parts
from taskkit_relational.dialects.mysql.slots import Slot, Slots
from taskkit_relational.schema import INSERTED
from taskkit_relational.statements import Cursor, Values

_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 4 << 20
"""Rows, and bytes of their data, of one statement. A server takes 16 MiB if nobody says otherwise,
and what is escaped may be twice as long."""

_GROUP: Final = INSERTED.index("grp")
_SLOT: Final = INSERTED.index("unique_slot")
_DATA: Final = INSERTED.index("data")


def insert(named: Named, slots: Slots, cursor: Cursor, rows: Sequence[Values]) -> set[str] | None:
    """Insert rows; None if all went in, else the ids of those that did."""
    if not any(row[_SLOT] is not None for row in rows):
        return _insert(named, cursor, rows)
    wanted: dict[Slot, str] = {}
    for row in rows:
        if row[_SLOT] is not None:
            wanted.setdefault((row[_GROUP], row[_SLOT]), row[0])
    # Looked at before: to find out by trying would lock what is taken.
    taken = slots.holders(cursor, wanted)
    free = {slot: task_id for slot, task_id in wanted.items() if slot not in taken}
    ours = slots.take(cursor, free) if free else set[Slot]()
    fit = [
        row
        for row in rows
        if row[_SLOT] is None
        or ((slot := (row[_GROUP], row[_SLOT])) in ours and wanted[slot] == row[0])
    ]
    if not fit:
        return set()
    put = _insert(named, cursor, fit)
    if put is None and len(fit) < len(rows):
        return {row[0] for row in fit}
    return put


def _insert(named: Named, cursor: Cursor, rows: Sequence[Values]) -> set[str] | None:
    """Insert rows whose slots are theirs."""
    put: set[str] = set()
    for some in _batches(rows):
        if _try(named, cursor, some):
            put.update(row[0] for row in some)
        else:
            put |= _insert_unknown(named, cursor, some, put)
    return None if len(put) == len(rows) else put


def _insert_unknown(
    named: Named, cursor: Cursor, rows: Sequence[Values], before: Collection[str]
) -> set[str]:
    """Insert those of whose ids nothing is known; return their ids."""
    found = named.listed_rows(cursor, sql.KNOWN_NOW, list({row[0] for row in rows}))
    known = {task_id for (task_id,) in found} | set(before)
    fresh: dict[str, Values] = {}
    for row in rows:
        if row[0] not in known:
            fresh.setdefault(row[0], row)
    left = list(fresh.values())
    if not left or _try(named, cursor, left):
        return set(fresh)
    # Somebody has put one of them in this moment: one by one, each tells for itself.
    return {row[0] for row in left if _try(named, cursor, [row])}


def _try(named: Named, cursor: Cursor, rows: Sequence[Values]) -> bool:
    """Insert all rows or none; return whether all ids were new."""
    columns, one, values = _written(rows)
    text = named.text(sql.INSERT).replace("#columns", ", ".join(columns))
    try:
        cursor.execute(text.replace("#rows", ", ".join([one] * len(rows))), values)
    except Exception as error:
        # The driver's class is not known here. The statement alone is undone, not the transaction.
        if number_of(error) != DUPLICATE:
            raise
        return False
    return True


def _written(rows: Sequence[Values]) -> tuple[list[str], str, list[Any]]:
    """Return the columns to be written, what stands for one row, and the parameters of all.

    The fewer parameters, the less there is for the driver to escape, which is most of its work:
    what no row has is left out, and a number that all have is written out.
    """
    columns: list[str] = []
    marks: list[str] = []
    bound: list[Sequence[Any]] = []
    for name, column in zip(INSERTED, zip(*rows, strict=True), strict=True):
        first = column[0]
        same = first is None or type(first) is int
        same = same and column.count(first) == len(column)
        if same and first is None:
            continue
        columns.append(name)
        marks.append(str(first) if same else "%s")
        if not same:
            bound.append(column)
    values = [value for row in zip(*bound, strict=True) for value in row]
    return columns, f"({', '.join(marks)})", values


def _batches(rows: Sequence[Values]) -> Iterator[Sequence[Values]]:
    """Yield what fits into one statement each."""
    for some in parts(rows, _AT_ONCE):
        start = size = 0
        for place, row in enumerate(some):
            size += len(row[_DATA])
            if size > _BYTES_AT_ONCE and place > start:
                yield some[start:place]
                start, size = place, len(row[_DATA])
        yield some[start:]
