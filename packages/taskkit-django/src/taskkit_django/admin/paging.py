"""Pages of tasks by key: no page counts anything, and the last one costs what the first one does.

A page follows an index from where the last page ended. What no index knows, such as a name, is
looked for in a window of that many rows; where the window held too little, the next page goes on
behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connections
from django.db.models import Q, QuerySet

WINDOW: Final = 20_000
"""Rows that one page looks through at most."""
MAX_GROUPS: Final = 50
"""Groups whose finished tasks are merged; of more, one has to be chosen."""


_LIKE: Final = {
    "sqlite": "{} LIKE %s ESCAPE '\\'",
    "postgresql": "{} ILIKE %s ESCAPE '\\'",
    "mysql": "CONVERT({} USING utf8mb4) LIKE %s",  # names are kept as bytes
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks a page is to show."""

    rows: QuerySet[Any]
    """Along an index: filtered by nothing that is not in it, but not ordered yet."""
    whole: QuerySet[Any]
    """The same of all tasks: by id, a filter would only mislead a database about the way."""
    order: tuple[str, ...]
    """Fields, with ``-`` before those that go down; together unique, and the index's order."""
    scanned: Mapping[str, Any] = field(default_factory=dict)
    """Exact values of fields that are in no index, …"""
    text: str = ""
    """… and a part of the name."""
    groups: Sequence[str] | None = None
    """Where the index is one for each group: those to merge."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page."""

    rows: list[Any]
    next: str | None
    """Where the next page begins; None: there is none."""
    windowed: bool = False
    """Whether the page ends because its window did."""


def page(wanted: Wanted, size: int, after: str | None) -> Found:
    """Return a page of at most ``size`` tasks.

    Raises:
        ValueError: ``after`` is not what an earlier page said.
    """
    rows = wanted.rows.order_by(*wanted.order)
    if after is not None:
        rows = rows.filter(_beyond(wanted, read_key(wanted, after)))
    if wanted.groups is None and not wanted.scanned and not wanted.text:
        found = list(rows[: size + 1])
        more = len(found) > size
        return Found(found[:size], write_key(wanted, found[size - 1]) if more else None)
    return _searched(wanted, rows, size)


def _searched(wanted: Wanted, rows: QuerySet[Any], size: int) -> Found:
    searching = bool(wanted.scanned or wanted.text)
    parts = 1 if wanted.groups is None else len(wanted.groups)
    if not parts:
        return Found([], None)
    limit = max(WINDOW // parts, size + 1) if searching else size + 1
    ids = _ids(wanted, rows, limit, size + 1)
    by_id = {row.pk: row for row in wanted.whole.filter(pk__in=ids)}
    found = [by_id[each] for each in ids if each in by_id]
    if len(found) > size:
        return Found(found[:size], write_key(wanted, found[size - 1]))
    if not searching or wanted.groups is not None:
        return Found(found, None)
    # Where the window ended, if it did: asked for no more than an index has.
    names = dict.fromkeys(each.lstrip("-") for each in wanted.order)
    edge = next(iter(rows.values_list(*names, named=True)[limit - 1 : limit]), None)
    return Found(found, None if edge is None else write_key(wanted, edge), edge is not None)


def _ids(wanted: Wanted, rows: QuerySet[Any], limit: int, most: int) -> list[str]:
    """Return ids in order, of the rows within the windows that match what is searched for."""
    connection, order = connections[wanted.rows.db], [each.lstrip("-") for each in wanted.order]
    shown = list(dict.fromkeys([*order, *wanted.scanned, "name", "id"]))
    # Named by position, because Django's versions differ in how they name them.
    column = {each: f"c{at}" for at, each in enumerate(shown)}
    texts, parameters = _parts(wanted, rows.values(*shown), limit)
    conditions = ["1 = 1"]
    for each, value in wanted.scanned.items():
        conditions.append(f"{column[each]} = %s")
        parameters.append(value)
    if wanted.text:
        conditions.append(_LIKE[connection.vendor].format(column["name"]))
        escaped = re.sub(r"([\\%_])", r"\\\1", wanted.text)
        parameters.append(f"%{escaped}%")
    down = [f"{column[e.lstrip('-')]}{' DESC' * e.startswith('-')}" for e in wanted.order]
    sql = (
        f"WITH found ({', '.join(column.values())}) AS ({' UNION ALL '.join(texts)}) "  # noqa: S608 - own names
        f"SELECT {column['id']} FROM found WHERE {' AND '.join(conditions)} "
        f"ORDER BY {', '.join(down)} LIMIT {most}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [row[0].decode() if isinstance(row[0], bytes) else row[0] for row in cursor]


def _parts(wanted: Wanted, rows: Any, limit: int) -> tuple[list[str], list[Any]]:
    """Return a statement for each group's window, or for the one of all, and their parameters."""
    if wanted.groups is None:
        text, given = _compiled(rows[:limit])
        return [text], given
    # Written by the ORM once: it takes longer to write one than a database to answer it.
    text, given = _compiled(rows.filter(group=_SOME_GROUP)[:limit])
    at = given.index(_SOME_GROUP)
    parameters = [
        each for group in wanted.groups for each in (*given[:at], group, *given[at + 1 :])
    ]
    return [text] * len(wanted.groups), parameters


_SOME_GROUP: Final = "some group"


def _compiled(rows: Any) -> tuple[str, list[Any]]:
    text, given = rows.query.get_compiler(rows.db).as_sql()
    return f"SELECT * FROM ({text}) AS part", list(given)  # noqa: S608 - Django's own SQL


# ---- keys


def write_key(wanted: Wanted, row: Any) -> str:
    """Return the place of a row in the order."""
    return json.dumps([_raw(wanted, row, each.lstrip("-")) for each in wanted.order])


def read_key(wanted: Wanted, text: str) -> list[Any]:
    """Return what ``write_key`` wrote.

    Raises:
        ValueError: it did not write this.
    """
    found = json.loads(text)
    fits = isinstance(found, list) and len(found) == len(wanted.order)
    if not fits or not all(type(each) in (str, int) for each in found):
        raise ValueError(f"expected where a page ended, found {text[:200]!r}")
    return list(found)


def _raw(wanted: Wanted, row: Any, name: str) -> Any:
    value = getattr(row, name)
    fields = {field.name: field for field in wanted.rows.model._meta.concrete_fields}
    return fields[name].get_prep_value(value) if name in fields else value


def _beyond(wanted: Wanted, key: Sequence[Any]) -> Q:
    """Return the condition of everything behind a place.

    The first condition alone says less than the others; it is what an index is entered by.
    """
    first = wanted.order[0]
    beyond = Q()
    before: dict[str, Any] = {}
    for each, value in zip(wanted.order, key, strict=True):
        name, is_down = each.lstrip("-"), each.startswith("-")
        beyond |= Q(**before, **{f"{name}__{'lt' if is_down else 'gt'}": value})
        before[name] = value
    edge = f"{first.lstrip('-')}__{'lte' if first.startswith('-') else 'gte'}"
    return Q(**{edge: key[0]}) & beyond
