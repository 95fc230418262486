"""Calls back before every statement of this process; for the conformance suite's interleavings.

Not by SQLAlchemy's events: the statements of the rules go to the driver's cursor directly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event


class _Watch:
    """Whom to call before a statement."""

    def __init__(self) -> None:
        self.callback: Callable[[], None] | None = None


_watch = _Watch()


@contextmanager
def calling(callback: Callable[[], None]) -> Iterator[None]:
    """While the context lasts, call back before every statement."""
    before, _watch.callback = _watch.callback, callback
    try:
        yield
    finally:
        _watch.callback = before


def watch_connections() -> None:
    """Let all connections that are opened from now on take part, of whatever engine."""
    if not event.contains(sa.Engine, "do_connect", _connecting):
        event.listen(sa.Engine, "do_connect", _connecting)


def _connecting(dialect: Any, _record: object, _arguments: object, options: dict[str, Any]) -> None:
    if dialect.driver == "pysqlite":
        options.setdefault("factory", _sqlite_connection())
    elif dialect.driver == "psycopg":
        options.setdefault("cursor_factory", _watched(_psycopg_cursor()))
        _watch_direct()
    elif dialect.driver == "pymysql":
        options.setdefault("cursorclass", _watched(_pymysql_cursor()))


@cache
def _sqlite_connection() -> Any:
    import sqlite3

    cursor = _watched(sqlite3.Cursor)
    return type(
        "WatchedConnection",
        (sqlite3.Connection,),
        {"cursor": lambda self, factory=cursor: sqlite3.Connection.cursor(self, factory)},
    )


def _psycopg_cursor() -> Any:
    import psycopg

    return psycopg.Cursor


def _watch_direct() -> None:
    """Let those take part, too, that are no cursors of the driver."""
    from taskkit_sql.postgres import Postgres
    from taskkit_sql.postgres_direct import Direct

    Postgres.direct_cursor = _watched(Direct)


def _pymysql_cursor() -> Any:
    import pymysql.cursors

    return pymysql.cursors.Cursor


@cache
def _watched(base: Any) -> Any:
    """Return a kind of cursor that calls back before each statement."""

    def calling_first(name: str) -> Callable[..., Any]:
        method = getattr(base, name)

        def call(self: Any, *arguments: Any, **options: Any) -> Any:
            if _watch.callback is not None:
                _watch.callback()
            return method(self, *arguments, **options)

        return call

    names = ("execute", "executemany")
    return type("WatchedCursor", (base,), {name: calling_first(name) for name in names})
