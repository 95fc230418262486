"""Where in the tables each part of the tasks stands: which rows, in the order of which index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import connections, router
from django.db.models import BooleanField, QuerySet
from django.db.models.expressions import RawSQL

from taskkit_django.admin import mysql
from taskkit_django.models import PREFIX, Task
from taskkit_django.sections import (
    STATES,
    BlockedTask,
    CancelledTask,
    FailedTask,
    FinishedTask,
    LostTask,
    QueuedTask,
    RunningTask,
    WaitingTask,
)
from taskkit_django.settings import read_settings
from taskkit_relational import schema


@dataclass(frozen=True, slots=True)
class Place:
    """The rows of one part."""

    order: tuple[str, ...]
    """The order of the index that serves it."""
    grouped: bool = False
    """Whether a group is found along that index, too."""
    merged: bool = False
    """Whether there is an index for each group only."""


PLACES: Final = {
    FailedTask: Place(("-done", "-id")),
    LostTask: Place(("-done", "-id")),
    CancelledTask: Place(("-done", "-id")),
    RunningTask: Place(("began", "id"), grouped=True),
    QueuedTask: Place(("group", "-priority", "due", "id"), grouped=True),
    BlockedTask: Place(("group", "lock_key", "-priority", "due", "id"), grouped=True),
    WaitingTask: Place(("due", "id")),
    FinishedTask: Place(("-purge_at", "-id"), grouped=True, merged=True),
    Task: Place(("-id",)),
}

_GROUPS: Final = """
WITH RECURSIVE found (grp) AS (
    SELECT min(grp) FROM {table} WHERE {finished}
    UNION ALL
    SELECT (SELECT min(grp) FROM {table} WHERE {finished} AND grp > found.grp)
    FROM found WHERE found.grp IS NOT NULL
)
SELECT grp FROM found WHERE grp IS NOT NULL LIMIT {most}
"""
"""The groups that have finished tasks: one step along the index for each."""


_MYSQL_GROUPS: Final = """
SELECT grp FROM (SELECT state, grp FROM {table} GROUP BY state, grp) AS found
WHERE state = 4 ORDER BY grp LIMIT {most}
"""
"""There GROUP BY steps along the one index, and a step of our own does not."""


def alias() -> str:
    """Return the database that tasks are on."""
    return read_settings().database or router.db_for_read(Task)


def whole(model: type[Task]) -> QuerySet[Any]:
    """Return all tasks as rows of a part, to look up some by their ids."""
    found: QuerySet[Any] = model._default_manager.using(alias())
    return mysql.annotated(found, STATES.get(model)) if _is_mysql(found.db) else found


def part(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return those of the tasks that are of their model's part, not ordered."""
    state = STATES.get(rows.model)
    if state is None:
        return rows
    return mysql.chosen(rows, state) if _is_mysql(rows.db) else rows.filter(said(where(state)))


def where(state: int) -> str:
    """Return the condition of a state, in words that the indexes of that state are told by.

    SQLite takes a partial index only where a query says literally what the index says.
    """
    more = {
        schema.PARKED: "lock_key IS NOT NULL AND ",
        schema.SUCCEEDED: "purge_at IS NOT NULL AND ",
        schema.FAILED: "state > 4 AND ",
        schema.LOST: "state > 4 AND ",
        schema.CANCELLED: "state > 4 AND ",
    }
    return f"{more.get(state, '')}state = {state}"


def said(condition: str) -> RawSQL:
    """Return a condition of our own as the ORM wants it."""
    return RawSQL(condition, (), output_field=BooleanField())  # noqa: S611 - no parameters


def order(model: type[Task]) -> tuple[str, ...]:
    """Return the order of a part."""
    state = STATES.get(model)
    if state in mysql.ORDERS and _is_mysql(alias()):
        return mysql.ORDERS[state]
    return PLACES[model].order


def finished_groups(most: int) -> list[str]:
    """Return the names of groups that have finished tasks, one more than ``most`` at the most."""
    connection = connections[alias()]
    text = (_MYSQL_GROUPS if _is_mysql(connection.alias) else _GROUPS).format(
        table=connection.ops.quote_name(f"{PREFIX}task"),
        finished="purge_at IS NOT NULL",
        most=most + 1,
    )
    with connection.cursor() as cursor:
        cursor.execute(text)
        return [_text(row[0]) for row in cursor]


def _is_mysql(using: str) -> bool:
    return connections[using].vendor == "mysql"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
