"""How many tasks there are, without counting more than a bounded number of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connections

from taskkit_django.admin import mysql
from taskkit_django.admin.places import alias, where
from taskkit_django.models import PREFIX
from taskkit_relational import schema

MOST: Final = 1_000
"""Tasks of a group and state that are counted; beyond it is told that there are more."""
SAMPLE: Final = 2_000
"""Tasks of a state that a summary by name looks at."""
GROUPS: Final = 25
"""Groups on a page: a statement has a part for each state of each, and SQLite takes 500."""

STATES: Final = {
    schema.FAILED: "failed",
    schema.LOST: "lost",
    schema.RUNNING: "running",
    schema.READY: "queued",
    schema.PARKED: "blocked",
    schema.WAITING: "waiting",
    schema.SUCCEEDED: "finished",
    schema.CANCELLED: "cancelled",
}

_FINISHED: Final = (schema.SUCCEEDED, schema.FAILED, schema.LOST, schema.CANCELLED)


@dataclass(slots=True)
class GroupRow:
    """What is known of a group."""

    name: str
    counts: dict[str, int] = field(default_factory=dict)
    oldest_due: int | None = None
    """The due of the first queued task."""


def group_names(after: str) -> list[str]:
    """Return the names of groups that have tasks, from behind a name, one more than a page holds.

    One step along each index for each group, whatever is in it.
    """
    if _vendor() == "mysql":
        # There GROUP BY steps along the one index, and a step of our own does not.
        sql = (
            f"SELECT DISTINCT grp FROM (SELECT state, grp FROM {_table()} GROUP BY state, grp) AS "  # noqa: S608 - own names
            f"found WHERE grp > %s ORDER BY grp LIMIT {GROUPS + 1}"
        )
        return [_text(row[0]) for row in _rows(sql, [after])]
    # A blocked task's group is found by the running one that it waits for.
    unfinished = [f"state = {n}" for n in (schema.WAITING, schema.READY, schema.RUNNING)]
    steps = [
        f"COALESCE((SELECT min(grp) FROM {_table()} WHERE {where} AND grp > found.grp), %s)"  # noqa: S608 - own names
        for where in (*unfinished, _OVER)
    ]
    least = f"{'min' if _vendor() == 'sqlite' else 'least'}({', '.join(steps)})"
    sql = (
        "WITH RECURSIVE found (n, grp) AS (SELECT 0, %s UNION ALL "  # noqa: S608 - as above
        f"SELECT n + 1, {least} FROM found WHERE n <= {GROUPS + 1} AND grp < %s) "
        "SELECT grp FROM found WHERE n > 0 AND grp < %s ORDER BY grp"
    )
    first: Any = after
    if _vendor() == "postgresql":
        sql = sql.replace("SELECT 0, %s", 'SELECT 0, %s::text COLLATE "C"', 1)
    return [_text(row[0]).rstrip("\0") for row in _rows(sql, [first, *[_LAST] * (len(steps) + 2)])]


_OVER: Final = "purge_at IS NOT NULL"
"""What says to SQLite and PostgreSQL which partial index is meant: that of finished tasks."""

_LAST: Final = "\U0010ffff"
"""Behind every name."""


def count_groups(names: Sequence[str]) -> list[GroupRow]:
    """Return what is known of groups, in one statement; each number is at most ``MOST`` + 1."""
    found = {name: GroupRow(name) for name in names}
    if not found:
        return []
    parts, parameters = [], []
    for name in names:
        for state in STATES:
            parts.append(
                f"SELECT %s AS grp, {state} AS state, count(*) AS tasks, min(due) AS due FROM "  # noqa: S608 - own names
                f"({_some(state)}) AS few"
            )
            parameters += [name, name]
    for name, state, tasks, due in _rows(" UNION ALL ".join(parts), parameters):
        row = found[_text(name)]
        row.counts[STATES[state]] = tasks
        if state == schema.READY:
            row.oldest_due = due
    return list(found.values())


@dataclass(frozen=True, slots=True)
class NameRow:
    """How many tasks of a name are in which state."""

    name: str
    counts: dict[str, int]


def count_names() -> tuple[list[NameRow], set[str]]:
    """Return counts by name, and the states of which there are more than were looked at.

    Of each state the ``SAMPLE`` tasks that its own page shows first; of finished ones none, which
    no index has in any order but each group's.
    """
    counted: dict[str, dict[str, int]] = {}
    more = set()
    for state, called in STATES.items():
        if state == schema.SUCCEEDED:
            continue
        if _vendor() == "mysql":
            chosen = mysql.sampled(state)
        else:
            chosen = f"{where(state)} {_ORDERS.get(state, '')}"
        sql = (
            f"SELECT name, count(*) FROM (SELECT name FROM {_table()} WHERE {chosen} "  # noqa: S608 - own names
            f"LIMIT {SAMPLE}) AS few GROUP BY name"
        )
        total = 0
        for name, tasks in _rows(sql, ()):
            counted.setdefault(_text(name), {})[called] = tasks
            total += tasks
        if total == SAMPLE:
            more.add(called)
    return [NameRow(name, counted[name]) for name in sorted(counted)], more


_ORDERS: Final = {
    schema.FAILED: "ORDER BY done DESC",
    schema.LOST: "ORDER BY done DESC",
    schema.CANCELLED: "ORDER BY done DESC",
    schema.WAITING: "ORDER BY due",
}


def _some(state: int) -> str:
    """Return the statement for some tasks of a state in a group."""
    if state == schema.PARKED and _vendor() == "sqlite":
        # There its index has finished tasks too; it is not walked through for ever.
        locked = (
            f"SELECT state FROM {_table()} WHERE lock_key IS NOT NULL AND grp = %s LIMIT {SAMPLE}"  # noqa: S608 - own names
        )
        return f"SELECT 0 AS due FROM ({locked}) AS locked WHERE state = {state} LIMIT {MOST + 1}"  # noqa: S608 - own names
    if state == schema.PARKED:
        return (
            f"SELECT 0 AS due FROM {_table()} WHERE lock_key IS NOT NULL AND state = {state} "  # noqa: S608 - own names
            f"AND grp = %s LIMIT {MOST + 1}"
        )
    over = f"{_OVER} AND " if state in _FINISHED and _vendor() != "mysql" else ""
    due, order = (
        ("due", "ORDER BY priority DESC, due") if state == schema.READY else ("0 AS due", "")
    )
    return (
        f"SELECT {due} FROM {_table()} WHERE {over}state = {state} AND grp = %s {order} "  # noqa: S608 - own names
        f"LIMIT {MOST + 1}"
    )


def _vendor() -> str:
    return connections[alias()].vendor


def _table() -> str:
    return connections[alias()].ops.quote_name(f"{PREFIX}task")


def _rows(sql: str, parameters: Iterable[Any]) -> list[Any]:
    with connections[alias()].cursor() as cursor:
        cursor.execute(sql, list(parameters))
        return list(cursor.fetchall())


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
