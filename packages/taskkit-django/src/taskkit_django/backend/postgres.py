"""PostgreSQL: transactions on Django's connections to it, push, and what its errors mean."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Final, Literal, cast

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.rows import tuple_row

from taskkit.errors import BackendError
from taskkit_django.backend.postgres_errors import translate
from taskkit_django.backend.preparing import PreparingPuts
from taskkit_django.backend.vendor import Begun, Reader
from taskkit_relational.dialects.postgres import errors
from taskkit_relational.dialects.postgres.listening import (
    CLAIMABLE,
    FINISHED,
    Listening,
    channel_of,
)
from taskkit_relational.dialects.postgres.planning import PLANNING
from taskkit_relational.dialects.postgres.rarer import CLOCK
from taskkit_relational.dialects.postgres.statements import PostgresStatements
from taskkit_relational.dialects.postgres.telling import Telling, kinds_of
from taskkit_relational.migrations import VERSION_TABLE
from taskkit_relational.polling import Polling, Sign
from taskkit_relational.statements import Cursor, News
from taskkit_relational.wakeup import Source

_TABLES: Final = """
SELECT relname FROM pg_catalog.pg_class
WHERE relkind IN ('r', 'p') AND left(relname, length(%s)) = lower(%s)
    AND pg_catalog.pg_table_is_visible(oid)
"""

_BOUNDS: Final = {
    "statement_timeout": "30000",
    "lock_timeout": "10000",
    # A process that was stopped in mid-transaction must not keep its locks.
    "idle_in_transaction_session_timeout": "30000",
}
"""Milliseconds that anything on a connection of taskkit's own can wait for."""

_OPTIONS: Final = {
    "application_name": "taskkit",
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""What a connection of taskkit's own is told where the project says nothing."""


class Postgres:
    """What ``django.db.backends.postgresql`` is made of."""

    name = "postgres"
    errors: tuple[type[Exception], ...] = (psycopg.Error,)
    max_data_bytes = 256 << 20

    def __init__(self, alias: str, prefix: str, settings: dict[str, Any], notify: bool) -> None:
        self.statements = PostgresStatements(prefix)
        self.shortcuts = self.statements.shortcuts
        self.wakeup: Literal["push", "poll"] = "push" if notify else "poll"
        self._alias = alias
        self._prefix = prefix
        self._settings = settings
        self._notify = notify
        self._channel = channel_of(prefix)
        self._telling = Telling(self._channel, self.statements.prefix)
        # With this, Django has it that a pooler gives the next statement to another session.
        self._prepares_puts = notify and not settings.get("DISABLE_SERVER_SIDE_CURSORS")
        look = f"SELECT {CLOCK}, controls FROM {prefix}store"  # noqa: S608 - own names
        told = f", pg_notify('{self._channel}', '{CLAIMABLE}')" if notify else ""
        self._join = look.replace("controls", f"controls{told}").encode()
        # One round trip, and at READ COMMITTED whatever the database's default is.
        self._begin = f"BEGIN ISOLATION LEVEL READ COMMITTED; {look}".encode()

    # ---- connections

    def cursor(self, connection: BaseDatabaseWrapper) -> Cursor:
        """Return a cursor of the driver, with parameters apart from the text."""
        driver = cast("psycopg.Connection[Any]", connection.connection)
        kind = PreparingPuts if self._prepares_puts and driver.prepare_threshold is None else None
        return cast("Cursor", (kind or psycopg.Cursor)(driver, row_factory=tuple_row))

    def own_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the project's, in autocommit, outside of any pool, with bounded waits."""
        options = {**_OPTIONS, **settings.get("OPTIONS", {})}
        options.pop("pool", None)
        options.pop("isolation_level", None)
        # A pooler gives the next statement to another session, which has prepared nothing.
        options["prepare_threshold"] = 5 if self._notify else None
        return {**settings, "OPTIONS": options, "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False}

    def prepare(self, connection: BaseDatabaseWrapper) -> None:
        """Bound what statements can wait for, and have them planned along the indexes."""
        if not self._notify:
            return  # they would stay with a session that others get
        values = ", ".join(f"('{k}', '{v}')" for k, v in {**_BOUNDS, **PLANNING}.items())
        cursor = self.cursor(connection)
        # Only what this server knows: not every one that speaks its language is a PostgreSQL.
        cursor.execute(
            "SELECT set_config(name, value, false) FROM pg_settings "  # noqa: S608 - own names
            f"JOIN (VALUES {values}) AS wanted (name, value) USING (name)".encode()
        )
        cursor.close()

    def turn(self) -> AbstractContextManager[Any]:
        """Return nothing: many write at once."""
        return nullcontext()

    # ---- transactions

    def begin(self, cursor: Cursor) -> Begun:
        """Begin a transaction, in one round trip."""
        driver = cast("psycopg.Cursor[Any]", cursor)
        driver.execute(self._begin, prepare=False)
        driver.nextset()
        return _begun(driver.fetchone())

    def join(self, cursor: Cursor) -> None:
        """Do nothing: any statement begins it."""

    def begun(self, cursor: Cursor) -> Begun:
        """Return the time and the count of changes to pauses and limits.

        Says at the same time that something may have become claimable, which is not heard before
        the commit: it nearly always has, and so costs no round trip of its own.
        """
        cursor.execute(self._join)
        return _begun(cursor.fetchone())

    def begin_snapshot(self, cursor: Cursor) -> None:
        """Begin a transaction in which every statement reads the same state."""
        cursor.execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")

    def commit(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:
        """Commit, and tell other processes in which somebody waits."""
        told = self._notify
        text = self._telling.commit(wakes=told and wakes, finished=told and finished)
        cast("psycopg.Cursor[Any]", cursor).execute(text.encode(), prepare=False)

    def tell(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:  # noqa: ARG002 - told
        """Tell everybody when the caller commits: who will wait by then, nobody knows now."""
        if self._notify and finished:
            cursor.execute("SELECT pg_notify(%s, %s)", (self._channel, FINISHED))

    def takes_shortcuts(self, *, joined: bool) -> bool:  # noqa: ARG002 - always
        """Return that it is a gain everywhere."""
        return True

    def news(self, *, wakes: bool, finished: bool, joined: bool) -> News | None:
        """Return what a statement tells: who will wait when a caller commits, nobody knows now."""
        kinds = kinds_of(wakes=wakes, finished=finished)
        if not self._notify or not kinds:
            return None
        text = kinds[0] if joined else f"{kinds[0]}{self._telling.tag()}"
        return News(self._channel, kinds[0], text, if_promised=not joined)

    # ---- errors

    def is_conflict(self, error: BaseException) -> bool:
        """Return whether another transaction was in the way, so that it is worth beginning anew."""
        return errors.is_conflict(error)

    def is_lost(self, error: BaseException) -> bool:
        """Return whether the connection is of no more use."""
        # A prepared statement that is gone (26000): somebody has reset the session since.
        return errors.is_lost(error) or errors.state_of(error) == "26000"

    def translate(self, error: BaseException) -> BackendError:
        """Return what a driver's error means to a user and what to do; never with a password."""
        return translate(error, self._alias, self._settings)

    # ---- tables

    @contextmanager
    def migrating(self, cursor: Cursor) -> Iterator[None]:
        """Keep everybody else from changing the tables; an error undoes every change."""
        versions = f"{self._prefix}{VERSION_TABLE}"
        # Whoever makes the first tables at the same time gets a conflict.
        cursor.execute("BEGIN")
        try:
            cursor.execute("SET LOCAL statement_timeout = 0")
            if versions in self.tables(cursor):
                cursor.execute(f"LOCK TABLE {versions} IN SHARE ROW EXCLUSIVE MODE")
            yield
            cursor.execute("COMMIT")
        except BaseException:
            with suppress(*self.errors):
                cursor.execute("ROLLBACK")
            raise

    def tables(self, cursor: Cursor) -> set[str]:
        """Return the names of the store's tables, as its statements write them."""
        cursor.execute(_TABLES, (self._prefix, self._prefix))
        # PostgreSQL keeps a name in lower case that is written without quotes.
        return {self._prefix + name[len(self._prefix) :] for (name,) in cursor.fetchall()}

    # ---- news

    def source(self, reader: Reader) -> Source:
        """Return a source that listens, or one that asks where nothing can be pushed."""

        @contextmanager
        def connection() -> Iterator[Any]:
            reader.ensure()
            with reader.private() as lent:
                yield lent.connection

        @contextmanager
        def cursor() -> Iterator[Cursor]:
            reader.ensure()
            with reader.private() as lent:
                yield self.cursor(lent)

        if self._notify:
            return Listening(
                *(connection, self._channel, self.statements, self._telling.tag),
                *(self.errors, self.translate),
            )
        return Polling(cursor, self._sign, self.statements, self.errors, self.translate)

    def _sign(self, cursor: Cursor) -> Sign:
        values = self.statements.sign(cursor)
        return Sign(values, bool(values[1] or values[-1]))


def _begun(row: Any) -> Begun:
    return Begun(row[0], row[1])
