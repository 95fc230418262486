"""Rows that are written back, many in one statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from taskkit.ids import group_of
from taskkit_relational.dialects.mysql import rarer
from taskkit_relational.dialects.mysql import texts as sql
from taskkit_relational.dialects.mysql.named import Named, marks, table
from taskkit_relational.dialects.mysql.slots import Slots
from taskkit_relational.schema import SAVED
from taskkit_relational.statements import Cursor, Values

_AT_ONCE: Final = 100

_SUCCEEDED_AT_ONCE: Final = 256
_BYTES_AT_ONCE: Final = 4 << 20
"""Successes, and bytes of their results, of one statement."""

_LONG: Final = 16_000
"""Characters or bytes from which on a row is written by itself: MariaDB cuts a value of more than
64 KiB short, without a word, that comes to it in a table of parameters."""

_SLOT: Final = SAVED.index("unique_slot")

T = TypeVar("T", bound=Values)


def succeed(named: Named, cursor: Cursor, now: int, rows: Sequence[tuple[str, int, bytes]]) -> int:
    """Running → succeeded, for (id, token, result)."""
    changed = 0
    # By id, so that rows are locked in the order in which everybody locks them.
    rest = sorted(rows)
    while rest:
        some, rest = _fitting(rest)
        ids = [task_id for task_id, _, _ in some]
        token, tokens = _chosen([token for _, token, _ in some], ids)
        result, results = _chosen([result for _, _, result in some], ids)
        if len(tokens) > 1:
            token = f"CAST({token} AS SIGNED)"
        text = named.text(sql.SUCCEED, len(ids)).replace("#token", token)
        cursor.execute(text.replace("#result", result), (now, now, *results, *ids, *tokens))
        changed += cursor.rowcount
    return changed


def _fitting(
    rows: list[tuple[str, int, bytes]],
) -> tuple[list[tuple[str, int, bytes]], list[tuple[str, int, bytes]]]:
    """Return what one statement takes, and the rest."""
    size = 0
    for place, (_, _, result) in enumerate(rows[:_SUCCEEDED_AT_ONCE]):
        size += len(result)
        if size > _BYTES_AT_ONCE and place:
            return rows[:place], rows[place:]
    return rows[:_SUCCEEDED_AT_ONCE], rows[_SUCCEEDED_AT_ONCE:]


def _chosen(values: Sequence[Any], ids: Sequence[str]) -> tuple[str, list[Any]]:
    """Return SQL for the value that belongs to a row, and its parameters."""
    if len(set(values)) == 1:
        return "%s", [values[0]]
    listed = marks(len(ids))
    # The server compares a few thousand ids; a table of the values takes it longer to make.
    return f"ELT(FIELD(id, {listed}), {listed})", [*ids, *values]


def save(named: Named, slots: Slots, cursor: Cursor, rows: Sequence[Values]) -> None:
    """Write rows back: ``schema.SAVED``, then the id."""
    _take_slots(named, slots, cursor, rows)
    for some in _tables(sorted(rows, key=lambda row: str(row[-1]))):
        if len(some) == 1:
            values = ", ".join(f"{column} = %s" for column in SAVED)
            named.change(cursor, sql.SAVE.replace("#values", values), *some[0])
        else:
            _save_many(named, cursor, some)


def _tables(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield what one statement takes, in the same order."""
    start = 0
    for place, row in enumerate(rows):
        is_long = any(len(value) > _LONG for value in row if isinstance(value, str | bytes))
        if is_long and place > start:
            yield rows[start:place]
            start = place
        if is_long or place + 1 - start == _AT_ONCE:
            yield rows[start : place + 1]
            start = place + 1
    if start < len(rows):
        yield rows[start:]


def _save_many(named: Named, cursor: Cursor, rows: Sequence[Values]) -> None:
    # What is the same for all is said once.
    differing = [
        place for place in range(len(SAVED)) if any(row[place] != rows[0][place] for row in rows)
    ]
    settings = [
        f"t.{column} = n.{column}" if place in differing else f"t.{column} = %s"
        for place, column in enumerate(SAVED)
    ]
    same = [rows[0][place] for place in range(len(SAVED)) if place not in differing]
    columns = ["id", *(SAVED[place] for place in differing)]
    lines = [[row[-1].encode(), *(row[place] for place in differing)] for row in rows]
    text = sql.SAVE_MANY.replace("#rows", table(columns, len(rows)))
    values = [value for line in lines for value in line]
    named.change(cursor, text.replace("#values", ", ".join(settings)), *values, *same)


def _take_slots(named: Named, slots: Slots, cursor: Cursor, rows: Sequence[Values]) -> None:
    """Take the unique keys that rows hold from now on. Those that they free need nothing."""
    holding = {row[-1]: row[_SLOT] for row in rows if row[_SLOT] is not None}
    if holding:
        before = {task_id for (task_id,) in named.listed_rows(cursor, sql.HOLDING, list(holding))}
        taking = {
            (group_of(task_id), slot): task_id
            for task_id, slot in holding.items()
            if task_id not in before
        }
        slots.seize(cursor, taking)


def report(named: Named, cursor: Cursor, worker_id: str, progress: Mapping[str, bytes]) -> None:
    """Store progress of tasks that a worker runs."""
    for some in _tables(sorted(progress.items())):
        if len(some) == 1:
            [(task_id, report)] = some
            named.change(cursor, rarer.REPORT_ONE, report, task_id, worker_id)
            continue
        text = rarer.REPORT.replace("#rows", table(["id", "progress"], len(some)))
        values = [value for task_id, report in some for value in (task_id.encode(), report)]
        named.change(cursor, text, *values, worker_id)
