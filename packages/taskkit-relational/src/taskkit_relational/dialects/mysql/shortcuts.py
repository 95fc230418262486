"""In one round trip what else takes a few: a put, what an idle worker asks.

All of it is for READ COMMITTED, outside a caller's transaction: at REPEATABLE READ a statement that
reads one table to change another locks what it reads.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from taskkit.limits import EARLIEST
from taskkit_relational.dialects.mysql import texts
from taskkit_relational.dialects.mysql.named import DUPLICATE, Named, number_of
from taskkit_relational.dialects.mysql.rarer import CLOCK
from taskkit_relational.statements import Caught, Cursor, News, Shaped, Values

# ruff: noqa: S608 - what is formatted in are the lists of columns here; data is always bound

_MOST: Final = 500
"""Workers that run something, up to which they are looked at one by one. Servers end a recursion
after 1,000 steps: one with an error, the other in silence."""


# Nothing → waiting or ready. At READ COMMITTED the look at the store locks nothing.
_INSERT_ALONE: Final = """
INSERT INTO @task (#columns) SELECT #values FROM @store WHERE one = 1 AND controls = %s
"""

# All that a claim has to know that finds nothing, as an idle worker's do. These servers cannot
# return what they change, so that a claim which finds something takes more than one statement.
_IS_DRY: Final = f"""
SELECT coalesce(%s, {CLOCK}), s.controls, w.expires,
    ({texts.HAS_EXPIRED.replace("%s", f"coalesce(%s, {CLOCK})")}), ({texts.FIRST_WAITING}),
    ({texts.NEXT_READY_GROUP}), ({texts.NEXT_READY_GROUP}),
    ({texts.FIRST_WAITING_OF_GROUP}), ({texts.NEXT_WAITING_GROUP})
FROM @worker AS w CROSS JOIN @store AS s WHERE w.id = %s AND s.one = 1
"""

# All that an idle worker has to know.
_PULSE: Final = f"""
SELECT coalesce(%s, {CLOCK}), s.controls, w.expires, w.stopped,
    EXISTS (SELECT 1 FROM @task FORCE INDEX (by_runner) WHERE runner = %s)
FROM @worker AS w CROSS JOIN @store AS s WHERE w.id = %s AND s.one = 1
"""

_EXTEND: Final = "UPDATE @worker SET expires = greatest(expires, %s) WHERE id = %s AND expires > %s"

# Who runs something is found by a loose scan: one seek for each.
_HAS_DEAD: Final = f"""
WITH RECURSIVE busy (n, id) AS (
    SELECT 1, (SELECT runner FROM @task FORCE INDEX (by_runner) WHERE runner > ''
        ORDER BY runner LIMIT 1)
    UNION ALL
    SELECT n + 1, (SELECT t.runner FROM @task AS t FORCE INDEX (by_runner) WHERE t.runner > busy.id
        ORDER BY t.runner LIMIT 1)
    FROM busy WHERE busy.id IS NOT NULL AND n < {_MOST})
SELECT EXISTS (SELECT 1 FROM @worker WHERE expires <= coalesce(%s, {CLOCK}))
    OR EXISTS (SELECT 1 FROM busy LEFT JOIN @worker AS w ON w.id = busy.id
        WHERE busy.id IS NOT NULL AND (w.id IS NULL OR busy.n = {_MOST}))
"""


@cache
def _inserting(shape: tuple[str, ...]) -> str:
    """Return the statement for rows of a shape."""
    expressions = {
        "!": CLOCK,
        "+": f"GREATEST({CLOCK} + %s, {EARLIEST})",  # as ``limits.resolve``
        "?": f"IF(%s <= {CLOCK}, 1, 0)",
    }
    values = ", ".join(expressions.get(column[-1], "%s") for column in shape)
    columns = ", ".join(column.rstrip("!+?") for column in shape)
    return _INSERT_ALONE.replace("#columns", columns).replace("#values", values)


class Shortcuts:
    """The statements that stand alone.

    Args:
        named: The statements of the store.
    """

    succeed_alone = None  # a batch takes more than one statement here: see ``saving.succeed``

    def __init__(self, named: Named) -> None:
        self._named = named

    def insert_alone(
        self,
        cursor: Cursor,
        row: Shaped,
        steered: int,
        news: News | None,  # noqa: ARG002 - nobody can be told
    ) -> bool:
        try:
            return self._named.change(cursor, _inserting(row.shape), *row.values, steered) == 1
        except Exception as error:
            # The driver's class is not known here.
            if number_of(error) != DUPLICATE:
                raise
            return False

    def claim_alone(
        self,
        cursor: Cursor,
        worker_id: str,
        place: tuple[str, str, str],
        most: int,  # noqa: ARG002 - only what gives nothing is claimed here: see ``_IS_DRY``
        now: int | None,
        steered: int,
    ) -> Caught | None:
        group, low, high = place
        ready, waiting = (group, f"{group}\x01", low, high), (group, low, high)
        found = self._named.rows(cursor, _IS_DRY, now, now, *ready, *waiting, worker_id)
        if not found:
            return None
        at, controls, expires, expired, due, first, second, opens, below = found[0]
        if controls != steered or expires <= at or expired is not None:
            return None
        if (due is not None and due <= at) or not first is second is below is None:
            return None
        return Caught(at, 0, [], opens)

    def pulse(self, cursor: Cursor, worker_id: str, now: int | None) -> Values | None:
        rows = self._named.rows(cursor, _PULSE, now, worker_id, worker_id)
        return rows[0] if rows else None

    def extend(self, cursor: Cursor, worker_id: str, now: int, expires: int) -> bool:
        return self._named.change(cursor, _EXTEND, expires, worker_id, now) == 1

    def has_dead(self, cursor: Cursor, now: int | None) -> bool:
        return bool(self._named.one(cursor, _HAS_DEAD, now))


__all__ = ["Shortcuts"]
