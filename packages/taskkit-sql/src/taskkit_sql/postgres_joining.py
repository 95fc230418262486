"""The caller's transaction on PostgreSQL: a cursor in it, after a look at where it leads."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Any, Final, cast
from weakref import WeakKeyDictionary

import psycopg
import sqlalchemy as sa
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import tuple_row
from sqlalchemy.exc import MissingGreenlet

from taskkit.errors import Unsupported
from taskkit_relational.statements import Cursor
from taskkit_sql.joining import as_connection, elsewhere, in_autocommit, synchronous
from taskkit_sql.postgres_connecting import connect
from taskkit_sql.settings import ServerSettings

WITHIN: Final = (
    "a SQLAlchemy Connection, Session, AsyncConnection or AsyncSession on psycopg, or a psycopg "
    "connection, with a transaction on the same database"
)

_UNCONNECTED: Final = (
    "within: expected an asynchronous session that has its connection already, found one that "
    "would have to connect first; before, use: await session.connection()"
)


class Joining:
    """Lets a store take part in transactions of its users."""

    def __init__(self, settings: ServerSettings, prefix: str) -> None:
        self._settings = settings
        self._store = f"{prefix}store"
        self._known: object = None
        """The store's own id, once there is one."""
        self._accepted: WeakKeyDictionary[Any, object] = WeakKeyDictionary()
        """Connections of callers that led to the store when they were looked at."""
        self._views: WeakKeyDictionary[Any, psycopg.Connection[Any]] = WeakKeyDictionary()

    @contextmanager
    def cursor(self, within: object) -> Generator[Cursor]:
        """Give a cursor in a caller's open transaction on this very database."""
        given, autocommits = _given(within)
        driver = self._driver(given)
        idle = driver.info.transaction_status == TransactionStatus.IDLE
        if (autocommits or driver.autocommit) and idle:
            raise in_autocommit()
        # Not by the connection's own factories: rows are tuples here, whatever they are there.
        with closing(psycopg.Cursor(driver, row_factory=tuple_row)) as cursor:
            self._accept(given, cursor)
            yield cast("Cursor", cursor)

    def _driver(self, given: object) -> psycopg.Connection[Any]:
        if isinstance(given, psycopg.Connection):
            return given
        if isinstance(given, psycopg.AsyncConnection):
            return self._view(given)
        kind = f"{type(given).__module__}.{type(given).__qualname__}"
        raise Unsupported(
            f"within: expected {WITHIN}, found one on {kind}; "
            "make its engine with postgresql+psycopg://"
        )

    def _view(self, given: psycopg.AsyncConnection[Any]) -> psycopg.Connection[Any]:
        """Return a synchronous view of an asynchronous connection.

        Both drive the same connection of libpq. The few statements of a put are not worth a
        detour through the event loop, which in its own thread would also wait for itself.
        """
        if given.lock.locked() or given.pgconn.pipeline_status != PipelineStatus.OFF:
            raise Unsupported(
                "within: expected a connection that nobody uses at this moment, found another "
                "coroutine's statement or a pipeline on it; await that first"
            )
        view = self._views.get(given)
        if view is None:
            pgconn = given.pgconn
            handlers = pgconn.notice_handler, pgconn.notify_handler
            view = psycopg.Connection(pgconn)
            pgconn.notice_handler, pgconn.notify_handler = handlers
            # Both would give their prepared statements the same names.
            view.prepare_threshold = None
            # Kept as long as the other: gone before, it would warn that it was not closed.
            self._views[given] = view
        if given.info.transaction_status == TransactionStatus.IDLE:
            view.autocommit = given.autocommit
            view.isolation_level = given.isolation_level
            view.read_only = given.read_only
            view.deferrable = given.deferrable
        return view

    # ---- where it leads

    def _accept(self, given: object, cursor: psycopg.Cursor[Any]) -> None:
        accepted = self._accepted.get(given)
        if accepted is not None and accepted == self._known:
            return
        found = self._identity(cursor)
        if found[1] is None or found[1] != self._known:
            # Perhaps its tables are new. A connection of our own tells what is there now.
            with closing(connect(self._settings)) as own, own.cursor() as looking:
                expected = self._identity(looking)
            if found != expected:
                raise elsewhere(
                    *(self._settings.url, self._store.removesuffix("store"), found[0]),
                    has_tables=found[1] is not None,
                )
            self._known = expected[1]
        if found[1] is not None:
            self._accepted[given] = found[1]

    def _identity(self, cursor: psycopg.Cursor[Any]) -> tuple[str, object]:
        """Return the database's name and the store's id; None where there are no tables yet."""
        # Asked first: a table that does not exist would end the caller's transaction.
        cursor.execute("SELECT current_database(), to_regclass(%s) IS NULL", (self._store,))
        database, is_missing = cast("tuple[str, bool]", cursor.fetchone())
        if is_missing:
            return database, None
        cursor.execute(f"SELECT store_id FROM {self._store}".encode())  # noqa: S608 - own names
        row = cursor.fetchone()
        return database, None if row is None else row[0]


def _given(within: object) -> tuple[object, bool]:
    """Return the driver's connection of whatever the caller has, and whether it autocommits."""
    if isinstance(within, psycopg.Connection | psycopg.AsyncConnection):
        return within, False
    try:
        connection = as_connection(synchronous(within, _refuse_unconnected), WITHIN)
        if connection.dialect.name != "postgresql":
            raise Unsupported(f"within: expected {WITHIN}, found one on {connection.dialect.name}")
        if not connection.in_transaction():
            connection.begin()
        driver = connection.connection.driver_connection
    except MissingGreenlet as error:
        raise Unsupported(_UNCONNECTED) from error
    options: dict[str, Any] = dict(connection.get_execution_options())
    return driver, options.get("isolation_level") == "AUTOCOMMIT"


def _refuse_unconnected(side: Any) -> None:
    # Where its pool has a connection a session would not even have to connect; but what works must
    # not depend on that.
    if not isinstance(side, sa.Connection) and not side.in_transaction():
        raise Unsupported(_UNCONNECTED)


__all__ = ["WITHIN", "Joining"]
