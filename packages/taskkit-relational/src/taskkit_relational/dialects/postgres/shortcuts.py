"""In one round trip what else takes a few: what is plain, and what an idle worker asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final, cast

from taskkit.limits import EARLIEST
from taskkit_relational.dialects.postgres.rarer import CLOCK
from taskkit_relational.dialects.postgres.texts import TYPE
from taskkit_relational.schema import CLAIMED
from taskkit_relational.statements import Caught, Cursor, News, Shaped, Values

# ruff: noqa: S608 - what is formatted in are the lists of columns here; data is always bound

_CLAIMED: Final = CLAIMED[1:]
"""Without the key, which is the id."""
_PRIORITY: Final = CLAIMED.index("priority")
_DUE: Final = CLAIMED.index("due")


# The smallest due of what is left ready: the clock was set back, or another claim is taking it.
_FIRST_LEFT: Final = """
SELECT min(due) FROM @task
WHERE state = 1 AND grp = %(group)s AND id <> ALL(ARRAY(SELECT id FROM first))
"""

# Of the moment in which the statement came in: the same wherever it stands in it.
_AT: Final = CLOCK.replace("clock_timestamp", "statement_timestamp")

# Nothing → waiting or ready. The news are told by the condition under which the row goes in, which
# costs half of what a RETURNING does, with its own look and its answer. So a put of an id that is
# known may tell them in vain; whoever hears them looks, and finds nothing.
_INSERT_ALONE: Final = """
INSERT INTO @task (#columns) SELECT #values FROM @store AS s #promised
WHERE s.one = 1 AND s.controls = %s::bigint #told ON CONFLICT DO NOTHING
"""
_TOLD: Final = "AND pg_notify(#channel, #text) IS NOT NULL"
_PROMISED: Final = "CROSS JOIN @waiting AS w"
_TOLD_IF_PROMISED: Final = f"""
AND w.kind = #kind AND (w.until <= {_AT} OR pg_notify(#channel, #text) IS NOT NULL)
"""

_COUNTED: Final = "SELECT count(pg_notify(%s, %s))"
_COUNTED_IF_PROMISED: Final = f"{_COUNTED} FROM @waiting WHERE kind = %s AND until > {CLOCK}"

# Running → succeeded: as ``texts.SUCCEED``, which says why it is written like that.
_SUCCEED_ALONE: Final = f"""
WITH store AS (SELECT coalesce(%s::bigint, {CLOCK}) AS now, controls FROM @store),
put AS (
    UPDATE @task AS t SET state = 4, settled = 1, done = store.now,
        purge_at = store.now + t.retention, result = s.result
    FROM unnest(%s::text[], %s::bigint[], %s::bytea[]) AS s (id, token, result), store
    WHERE store.controls = %s::bigint AND t.id = ANY(%s::text[]) AND t.id = s.id
        AND t.token = s.token AND t.state + 0 = 3 AND t.cancelling = 0 AND t.lock_key IS NULL
        AND t.unique_slot IS NULL
    RETURNING 1),
done AS (SELECT count(*) AS count FROM put)
SELECT count, CASE WHEN count > 0 THEN (#told) END FROM done
"""

# Ready → running. What makes a claim plain is looked at first, with the worker locked; the token is
# drawn behind that lock: the worker's heartbeat tells this claim from earlier ones by it. The
# candidates are the first ones in claim order, and none is passed over because it has a key. They
# are changed by a list of ids, or the planner might join them with all that there are.
_CLAIM_ALONE: Final = f"""
WITH store AS MATERIALIZED (
    SELECT coalesce(%(now)s::bigint, {CLOCK}) AS now, controls FROM @store),
lease AS MATERIALIZED (SELECT expires FROM @worker WHERE id = %(worker)s FOR SHARE),
plain AS MATERIALIZED (
    SELECT store.now FROM store CROSS JOIN lease
    WHERE store.controls = %(steered)s::bigint AND lease.expires > store.now
        AND NOT EXISTS (SELECT 1 FROM @task WHERE state = 0 AND due <= (SELECT now FROM store))
        AND NOT EXISTS (SELECT 1 FROM @task
            WHERE expires IS NOT NULL AND state < 3 AND expires <= (SELECT now FROM store))
        AND NOT EXISTS (SELECT 1 FROM @task WHERE state = 1 AND grp >= %(low)s AND grp < %(high)s)
        AND NOT EXISTS (SELECT 1 FROM @task WHERE state = 0 AND grp >= %(low)s AND grp < %(high)s)),
first AS MATERIALIZED (
    SELECT id, lock_key, unique_slot FROM @task
    WHERE state = 1 AND grp = %(group)s AND due <= (SELECT now FROM plain)
    ORDER BY priority DESC, due, id LIMIT %(most)s FOR UPDATE SKIP LOCKED),
drawn AS MATERIALIZED (
    SELECT nextval('@token') AS token, now FROM plain
    WHERE EXISTS (SELECT 1 FROM first) AND NOT EXISTS (
        SELECT 1 FROM first WHERE lock_key IS NOT NULL OR unique_slot IS NOT NULL)),
taken AS (
    UPDATE @task AS t SET state = 3, token = drawn.token, attempt = attempt + 1,
        worker_id = %(worker)s, began = drawn.now, settled = NULL
    FROM drawn WHERE t.id = ANY(ARRAY(SELECT id FROM first))
    RETURNING {", ".join(f"t.{column}" for column in _CLAIMED)})
SELECT ARRAY[(SELECT now FROM plain), (SELECT token FROM drawn), (SELECT count(*) FROM first),
        (SELECT due FROM @task WHERE state = 0 AND grp = %(group)s ORDER BY due LIMIT 1),
        CASE WHEN (SELECT count(*) FROM first) < %(most)s THEN ({_FIRST_LEFT}) END]::bigint[],
    {", ".join(["NULL"] * len(CLAIMED))}
UNION ALL SELECT NULL, id, {", ".join(_CLAIMED)} FROM taken
"""


# All that an idle worker has to know.
_PULSE: Final = f"""
SELECT coalesce(%s::bigint, {CLOCK}), s.controls, w.expires, w.stopped,
    EXISTS (SELECT 1 FROM @task WHERE state = 3 AND worker_id = %s)
FROM @worker AS w CROSS JOIN @store AS s WHERE w.id = %s
"""

_EXTEND: Final = "UPDATE @worker SET expires = greatest(expires, %s) WHERE id = %s AND expires > %s"

# Who runs something is found by a loose scan: one seek for each.
_HAS_DEAD: Final = f"""
WITH RECURSIVE clock AS (SELECT coalesce(%s::bigint, {CLOCK}) AS now),
busy (id) AS (
    SELECT (SELECT worker_id FROM @task WHERE state = 3 ORDER BY worker_id LIMIT 1)
    UNION ALL
    SELECT (SELECT t.worker_id FROM @task AS t WHERE t.state = 3 AND t.worker_id > busy.id
        ORDER BY t.worker_id LIMIT 1)
    FROM busy WHERE busy.id IS NOT NULL)
SELECT EXISTS (SELECT 1 FROM clock CROSS JOIN @worker WHERE expires <= now)
    OR EXISTS (SELECT 1 FROM busy LEFT JOIN @worker AS w ON w.id = busy.id
        WHERE busy.id IS NOT NULL AND w.id IS NULL)
"""


class Shortcuts:
    """The statements that stand alone.

    Args:
        named: Returns a text with the names of the store's tables.
    """

    def __init__(self, named: Callable[[str], str]) -> None:
        self._named = named

    def insert_alone(self, cursor: Cursor, row: Shaped, steered: int, news: News | None) -> bool:
        text = self._named(_inserting(row.shape, news))
        cursor.execute(text, (*row.values, steered))
        return cursor.rowcount == 1

    def claim_alone(
        self,
        cursor: Cursor,
        worker_id: str,
        place: tuple[str, str, str],
        most: int,
        now: int | None,
        steered: int,
    ) -> Caught | None:
        group, low, high = place
        values = {
            "worker": worker_id, "group": group, "low": low, "high": high, "most": most,
            "now": now, "steered": steered,
        }  # fmt: skip
        cursor.execute(self._named(_CLAIM_ALONE), values)
        (found, *_), *rows = cursor.fetchall()
        at, token, candidates, waiting, left = found
        if at is None or (candidates and token is None):
            return None
        taken = sorted((row[1:] for row in rows), key=_claim_order)
        opens = min((due for due in (waiting, left) if due is not None), default=None)
        return Caught(at, token or 0, taken, opens)

    def succeed_alone(
        self,
        cursor: Cursor,
        rows: Sequence[tuple[str, int, bytes]],
        now: int | None,
        steered: int,
        news: News | None,
    ) -> int:
        told, telling = _telling(news)
        ids, tokens, results = (list(column) for column in zip(*rows, strict=True))
        values = (now, ids, tokens, results, steered, ids, *telling)
        return int(self._row(cursor, _SUCCEED_ALONE.replace("#told", told), *values)[0])

    def pulse(self, cursor: Cursor, worker_id: str, now: int | None) -> Values | None:
        return cast("Values | None", self._row(cursor, _PULSE, now, worker_id, worker_id))

    def extend(self, cursor: Cursor, worker_id: str, now: int, expires: int) -> bool:
        cursor.execute(self._named(_EXTEND), (expires, worker_id, now))
        return cursor.rowcount == 1

    def has_dead(self, cursor: Cursor, now: int | None) -> bool:
        return bool(self._row(cursor, _HAS_DEAD, now)[0])

    def _row(self, cursor: Cursor, text: str, *values: Any) -> Any:
        cursor.execute(self._named(text), values)
        return cursor.fetchone()


@cache
def _inserting(shape: tuple[str, ...], news: News | None) -> str:
    """Return the statement for rows of a shape.

    The news are written out: a process tells the same ones again and again, and what is no
    parameter has not to be sent.
    """
    expressions = {
        "!": _AT,
        "+": f"greatest({_AT} + %s::bigint, {EARLIEST})",  # as ``limits.resolve``
        "?": f"CASE WHEN %s::bigint <= {_AT} THEN 1 ELSE 0 END",
    }
    values = ", ".join(
        expressions.get(column[-1]) or f"%s::{TYPE.get(column, 'text')}" for column in shape
    )
    columns = ", ".join(column.rstrip("!+?") for column in shape)
    text = _INSERT_ALONE.replace("#columns", columns).replace("#values", values)
    if news is None:
        return text.replace("#promised", "").replace("#told", "")
    promised, told = (_PROMISED, _TOLD_IF_PROMISED) if news.if_promised else ("", _TOLD)
    text = text.replace("#promised", promised).replace("#told", told)
    for name in ("channel", "text", "kind"):
        text = text.replace(f"#{name}", _literal(getattr(news, name)))
    return text


def _literal(text: str) -> str:
    """Return a text as it stands in a statement with parameters."""
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def _telling(news: News | None) -> tuple[str, list[str]]:
    """Return what tells the news and counts them, and its parameters."""
    if news is None:
        return "SELECT 0", []
    if news.if_promised:
        return _COUNTED_IF_PROMISED, [news.channel, news.text, news.kind]
    return _COUNTED, [news.channel, news.text]


def _claim_order(row: Values) -> tuple[int, int, str]:
    """Return by what claims are ordered: the server returns what it changed in any order."""
    return (-row[_PRIORITY], row[_DUE], row[0])


__all__ = ["Shortcuts"]
