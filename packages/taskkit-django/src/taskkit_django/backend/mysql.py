"""MySQL and MariaDB: transactions on Django's connections to them, and what their errors mean."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib import import_module
from typing import Any, Final, Literal, cast

from django.db.backends.base.base import BaseDatabaseWrapper

from taskkit.errors import BackendError, Unavailable, Unsupported
from taskkit_django.backend.mysql_errors import translate
from taskkit_django.backend.vendor import Begun, Reader
from taskkit_relational.dialects.mysql import errors
from taskkit_relational.dialects.mysql.statements import MysqlStatements
from taskkit_relational.polling import Polling, Sign
from taskkit_relational.statements import Cursor
from taskkit_relational.wakeup import Source

_DRIVER: Final = import_module("MySQLdb")
"""mysqlclient, or what the project has put in its place, such as PyMySQL."""

_TABLES: Final = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = database() AND left(table_name, char_length(%s)) IN (%s, lower(%s))
"""

_READ_COMMITTED: Final = "read committed"

_MULTI_STATEMENTS: Final = 1 << 16
"""A flag of the protocol: several statements may go in one round trip."""

_OPTIONS: Final = {"connect_timeout": 10, "read_timeout": 35, "write_timeout": 35}
"""What a connection of taskkit's own is told where the project says nothing."""

_BOUNDS: Final = {
    "innodb_lock_wait_timeout": "10",
    # What does not fit is an error, and never cut short.
    "sql_mode": "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
}
_BOUNDS_OF: Final = {
    # A process that was stopped in mid-transaction must not keep its locks.
    "mariadb": {"max_statement_time": "30", "idle_transaction_timeout": "30"},
    "mysql": {"max_execution_time": "30000", "wait_timeout": "60"},
}
"""What anything on a connection of taskkit's own can wait for."""

_OLDEST: Final = {"mariadb": (10, 6), "mysql": (8, 0)}

_LOCK_SECONDS: Final = 10


class Mysql:
    """What ``django.db.backends.mysql`` is made of, for both servers."""

    name = "mysql"
    errors: tuple[type[Exception], ...] = (_DRIVER.Error,)
    wakeup: Literal["push", "poll"] = "poll"
    max_data_bytes = 256 << 20

    def __init__(self, alias: str, prefix: str, settings: dict[str, Any]) -> None:
        self.statements = MysqlStatements(prefix)
        self.shortcuts = self.statements.shortcuts
        self._alias = alias
        self._prefix = prefix
        self._settings = settings
        level = settings.get("OPTIONS", {}).get("isolation_level", _READ_COMMITTED)
        self._is_level_right = str(level).lower() == _READ_COMMITTED

    # ---- connections

    def cursor(self, connection: BaseDatabaseWrapper) -> Cursor:
        """Return a cursor of the driver."""
        return cast("Cursor", connection.connection.cursor())

    def own_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the project's, in autocommit, at READ COMMITTED, with bounded waits."""
        given = settings.get("OPTIONS", {})
        options = {**_OPTIONS, **given, "isolation_level": _READ_COMMITTED}
        options["client_flag"] = int(given.get("client_flag", 0)) | _MULTI_STATEMENTS
        return {**settings, "OPTIONS": options, "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False}

    def prepare(self, connection: BaseDatabaseWrapper) -> None:
        """Bound what statements can wait for.

        Raises:
            Unsupported: the server cannot step around locked rows.
        """
        kind, version = _server_of(connection)
        if version[:2] < _OLDEST[kind]:
            raise Unsupported(
                "expected MariaDB from 10.6 or MySQL from 8.0, whose claims can step around rows "
                f"that others have locked (SKIP LOCKED), found {kind} {version[0]}.{version[1]}"
            )
        bounds = {**_BOUNDS, **_BOUNDS_OF[kind]}
        cursor = self.cursor(connection)
        cursor.execute("SET " + ", ".join(f"SESSION {k} = {v}" for k, v in bounds.items()))
        cursor.close()

    def turn(self) -> AbstractContextManager[Any]:
        """Return nothing: many write at once."""
        return nullcontext()

    # ---- transactions

    def begin(self, cursor: Cursor) -> Begun:
        """Begin a transaction: in one round trip where the connection takes several statements."""
        driver: Any = cursor
        if getattr(driver.connection, "client_flag", 0) & _MULTI_STATEMENTS:
            driver.execute(f"BEGIN; {self.statements.begin}")
            driver.nextset()
            now, steered = driver.fetchone()
            return Begun(now, steered)
        if not self._is_level_right:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
        cursor.execute("BEGIN")
        return self.begun(cursor)

    def join(self, cursor: Cursor) -> None:
        """Do nothing: any statement begins it."""

    def begun(self, cursor: Cursor) -> Begun:
        """Return the time and the count of changes to pauses and limits."""
        cursor.execute(self.statements.begin)
        now, steered = cursor.fetchone()
        return Begun(now, steered)

    def begin_snapshot(self, cursor: Cursor) -> None:
        """Begin a transaction in which every statement reads the same state."""
        # At READ COMMITTED a snapshot would be forgotten at once.
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def commit(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:  # noqa: ARG002 - nobody can be told
        """Commit; other processes find out by looking."""
        cursor.execute("COMMIT")

    def tell(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:
        """Do nothing: other processes find out by looking."""

    def takes_shortcuts(self, *, joined: bool) -> bool:
        """Return whether the look at the limits locks nothing: see ``Shortcuts``."""
        return not joined and self._is_level_right

    def news(self, *, wakes: bool, finished: bool, joined: bool) -> None:
        """Return nothing: other processes find out by looking."""

    # ---- errors

    def is_conflict(self, error: BaseException) -> bool:
        """Return whether another transaction was in the way, so that it is worth beginning anew."""
        return errors.is_conflict(error)

    def is_lost(self, error: BaseException) -> bool:
        """Return whether the connection is of no more use."""
        return errors.is_lost(error)

    def translate(self, error: BaseException) -> BackendError:
        """Return what a driver's error means to a user and what to do; never with a password."""
        return translate(error, self._alias, self._settings)

    # ---- tables

    @contextmanager
    def migrating(self, cursor: Cursor) -> Iterator[None]:
        """Keep everybody else from changing the tables.

        A change of tables is committed at once on these servers; an error undoes none of those
        before it, and to run the same steps again is safe.
        """
        told = hashlib.sha256(f"{self._settings['NAME']}.{self._prefix}".encode()).hexdigest()
        name = f"taskkit {told[:40]}"
        cursor.execute("SELECT get_lock(%s, %s)", (name, _LOCK_SECONDS))
        if cursor.fetchone()[0] != 1:
            raise Unavailable(
                "expected to be alone in changing taskkit's tables, found another process that has "
                f"been doing it for {_LOCK_SECONDS} s; try again when it has ended"
            )
        try:
            yield
        finally:
            with suppress(*self.errors):
                cursor.execute("SELECT release_lock(%s)", (name,))
                cursor.fetchone()

    def tables(self, cursor: Cursor) -> set[str]:
        """Return the names of the store's tables, as its statements write them."""
        cursor.execute(_TABLES, (self._prefix, self._prefix, self._prefix))
        # Some servers keep all names in lower case.
        return {self._prefix + name[len(self._prefix) :] for (name,) in cursor.fetchall()}

    # ---- news

    def source(self, reader: Reader) -> Source:
        """Return a source that asks."""

        @contextmanager
        def cursor() -> Iterator[Cursor]:
            reader.ensure()
            with reader.private() as lent:
                yield self.cursor(lent)

        return Polling(cursor, self._sign, self.statements, self.errors, self.translate)

    def _sign(self, cursor: Cursor) -> Sign:
        values = self.statements.sign(cursor)
        return Sign(values, bool(values[1] or values[-1]))


def _server_of(connection: BaseDatabaseWrapper) -> tuple[str, tuple[int, ...]]:
    wrapper: Any = connection  # Django's own for MySQL knows both
    return "mariadb" if wrapper.mysql_is_mariadb else "mysql", wrapper.mysql_version
