"""The caller's transaction on MySQL or MariaDB: a cursor in it, after a look at where it leads."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Any, Final, NamedTuple, cast
from weakref import WeakKeyDictionary

import pymysql
from pymysql.cursors import Cursor as PlainCursor
from sqlalchemy.exc import MissingGreenlet
from sqlalchemy.util import concurrency

from taskkit.errors import Unsupported
from taskkit_relational.dialects.mysql.named import number_of
from taskkit_relational.statements import Cursor
from taskkit_sql.joining import as_connection, elsewhere, in_autocommit, synchronous
from taskkit_sql.mysql_connecting import connect, is_in_transaction
from taskkit_sql.settings import ServerSettings

WITHIN: Final = (
    "a SQLAlchemy Connection or Session on PyMySQL (AsyncConnection or AsyncSession inside "
    "run_sync), or a PyMySQL connection, with a transaction on the same database"
)

_DRIVERS: Final = ("pymysql", "aiomysql")
"""That speak as PyMySQL does."""

_NO_TABLE: Final = 1146


class _Place(NamedTuple):
    """Where a connection leads."""

    database: str | None
    store: str | None
    """The store's own id; None where there are no tables."""


class Joining:
    """Lets a store take part in transactions of its users."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._known: _Place | None = None
        self._accepted: WeakKeyDictionary[Any, _Place] = WeakKeyDictionary()
        """Connections of callers that led to the store when they were looked at."""

    @contextmanager
    def cursor(self, within: object) -> Generator[Cursor]:
        """Give a cursor in a caller's open transaction on this very database."""
        driver, connection = _given(within)
        try:
            cursor = _cursor(connection)
            with closing(cursor):
                self._accept(driver, connection, cursor)
                yield cast("Cursor", cursor)
        except MissingGreenlet as error:
            raise _outside() from error

    def _accept(self, driver: Any, connection: Any, cursor: Any) -> None:
        accepted = self._accepted.get(driver)
        if accepted is None or accepted != self._known:
            found = self._look(cursor)
            if found.store is None or found != self._known:
                # Perhaps its tables are new. A connection of our own tells what is there now.
                with closing(connect(self._settings)) as own, own.cursor() as looking:
                    self._known = self._look(looking)
                if found != self._known:
                    raise elsewhere(
                        *(self._settings.url, self._settings.prefix, found.database),
                        has_tables=found.store is not None,
                    )
            self._accepted[driver] = found
        cursor.execute("SELECT @@autocommit, @@character_set_client")
        autocommits, charset = cursor.fetchone()
        if autocommits and not _has_begun(connection):
            raise in_autocommit()
        if not charset.startswith("utf8"):
            raise Unsupported(
                "within: expected a connection with charset=utf8mb4, which has all characters, "
                f"found {charset}"
            )

    def _look(self, cursor: Any) -> _Place:
        table = f"{self._settings.prefix}store"
        try:
            cursor.execute(f"SELECT database(), store_id FROM {table}")  # noqa: S608 - own name
            row = cursor.fetchone()
        except Exception as error:
            # The drivers' classes differ. A missing table does not end the transaction here.
            if number_of(error) not in {_NO_TABLE, 1046}:
                raise
            row = None
        if row is None:
            cursor.execute("SELECT database(), NULL")
            row = cursor.fetchone()
        return _Place(row[0], row[1])


def _given(within: object) -> tuple[Any, Any]:
    """Return the driver's connection of whatever the caller has, and what gives cursors on it."""
    if isinstance(within, pymysql.connections.Connection):
        return within, within
    try:
        connection = as_connection(synchronous(within, _refuse_outside), WITHIN)
        dialect = connection.dialect
        if dialect.name not in ("mysql", "mariadb") or dialect.driver not in _DRIVERS:
            raise Unsupported(
                f"within: expected {WITHIN}, found one on {dialect.name}+{dialect.driver}"
            )
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            raise in_autocommit()
        if not connection.in_transaction():
            connection.begin()
    except MissingGreenlet as error:
        raise _outside() from error
    # Of an asynchronous driver the side that waits in a greenlet.
    proxied = connection.connection
    return proxied.driver_connection, proxied.dbapi_connection


def _refuse_outside(_: object) -> None:
    # Before anything is tried: what the driver had begun would never be awaited.
    in_greenlet = getattr(concurrency, "in_greenlet", None)
    if in_greenlet is not None and not in_greenlet():
        raise _outside()


def _outside() -> Unsupported:
    return Unsupported(
        "within: expected an asynchronous session inside its run_sync, found one outside; "
        "use: await it.run_sync(lambda sync: kit.initiate_task(..., within=sync))"
    )


def _cursor(connection: Any) -> Any:
    if isinstance(connection, pymysql.connections.Connection):
        # Not by the connection's own class: rows are tuples here, whatever they are there.
        return connection.cursor(PlainCursor)
    return connection.cursor()


def _has_begun(connection: Any) -> bool:
    if isinstance(connection, pymysql.connections.Connection):
        return is_in_transaction(connection)
    return False


__all__ = ["WITHIN", "Joining"]
