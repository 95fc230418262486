"""SQLite: how to connect to it, and what its errors mean.

It lets one writer in at a time, so a claim needs no row locks, and a batch is what counts.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.event import listen
from sqlalchemy.exc import SQLAlchemyError

from taskkit.errors import BackendError, Corrupt, SchemaMismatch, Unavailable, Unsupported
from taskkit_relational.dialects.sqlite.statements import SqliteStatements
from taskkit_relational.statements import Cursor
from taskkit_sql.joining import as_connection, driver_cursor
from taskkit_sql.settings import FileSettings

WITHIN: Final = "a SQLAlchemy Connection or Session with an open transaction on the same file"

_CHECKPOINT_PAGES: Final = 4000
"""16 MiB of log: index pages that every batch rewrites reach the file once, not many times."""


class Sqlite:
    """What ``sqlite:///…`` is made of."""

    name = "sqlite"
    errors: tuple[type[Exception], ...] = (sqlite3.Error, SQLAlchemyError)

    def __init__(self, settings: FileSettings) -> None:
        self.statements = SqliteStatements(settings.prefix)
        self._prefix = settings.prefix
        self._path = settings.path
        self._synchronous = settings.synchronous
        self._milliseconds = int(settings.busy_timeout * 1000)

    def engine(self) -> sa.Engine:
        """Return a new engine; ``AUTOCOMMIT`` keeps the driver from beginning by itself."""
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=self._path),
            isolation_level="AUTOCOMMIT",
            connect_args={"check_same_thread": False, "timeout": self._milliseconds / 1000},
            poolclass=sa.QueuePool,
            pool_size=4,
            max_overflow=60,
        )
        listen(engine, "connect", self._prepare)
        return engine

    def _prepare(self, connection: Any, _record: object) -> None:
        try:
            self._set_pragmas(connection)
        except BaseException:
            connection.close()  # the pool does not know of it yet
            raise

    def _set_pragmas(self, connection: Any) -> None:
        cursor = connection.cursor()
        # Switching a new file to WAL fails at once where two processes do it at the same time,
        # whatever the timeout; the caller tries again.
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA synchronous = {self._synchronous}")
        cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        cursor.execute("PRAGMA journal_size_limit = 67108864")
        cursor.execute("PRAGMA cache_size = -8192")
        cursor.execute("PRAGMA temp_store = MEMORY")
        cursor.close()

    def prepare_writer(self, cursor: Cursor) -> None:
        """Turn off SQLite's own waiting: it sleeps up to 100 ms and so never gets its turn."""
        cursor.execute("PRAGMA busy_timeout = 0")

    def begin(self, cursor: Cursor) -> None:
        """Take the write lock at once: taken later, it could fail in mid-transaction."""
        cursor.execute("BEGIN IMMEDIATE")

    def is_in_transaction(self, cursor: Cursor) -> bool:
        """Return whether the connection of a cursor has a transaction open."""
        connection: sqlite3.Connection = cast("Any", cursor).connection
        return connection.in_transaction

    def is_busy(self, error: Exception) -> bool:
        """Return whether another connection holds the write lock."""
        return _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

    def translate(self, error: Exception) -> BackendError:
        """Return what an error of the driver means, by its code, not its text."""
        code, path = _code(error), self._path
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Unavailable(
                f"expected to be able to write {path}, found another connection holding its write "
                f"lock for {self._milliseconds / 1000:g} s; is a transaction left open somewhere? "
                "To put tasks from inside a transaction, pass it as within="
            )
        if code == sqlite3.SQLITE_READONLY:
            return Unavailable(
                f"expected to be able to write {path}, found it read-only; let this user write "
                "the file and its folder (SQLite keeps two more files beside it)"
            )
        if code == sqlite3.SQLITE_CANTOPEN:
            return Unavailable(_cannot_open(path))
        if code == sqlite3.SQLITE_NOTADB:
            return Corrupt(
                f"expected an SQLite database at {path}, found a file that is none (or is "
                "encrypted); give another path, or move the file away"
            )
        if code == sqlite3.SQLITE_CORRUPT:
            return Corrupt(
                f"expected a sound database at {path}, found it damaged; save what can be saved "
                "with sqlite3's .recover command, or restore a backup"
            )
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return Unavailable(f"cannot write {path}: {_text(error)}; is the disk full or failing?")
        if "no such table" in _text(error) or "no such column" in _text(error):
            return SchemaMismatch(
                f"expected taskkit's tables in {path}, found: {_text(error)}; "
                f"run: taskkit --url sqlite:///{path} db upgrade"
            )
        return BackendError(f"{path}: {_text(error)}")

    def change(self, cursor: Cursor) -> int:
        """Return SQLite's counter of other connections' commits."""
        cursor.execute("PRAGMA data_version")
        return int(cursor.fetchone()[0])

    def tables(self, cursor: Cursor) -> set[str]:
        """Return the names of the tables of this store's prefix."""
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in cursor.fetchall() if name.startswith(self._prefix)}

    @contextmanager
    def joining(self, within: object) -> Iterator[Cursor]:
        """Give a cursor in a caller's open transaction on this very file, and begin it for good.

        Raises:
            Unsupported: it is another file, no transaction, or nothing that SQLAlchemy has.
        """
        connection = as_connection(within, WITHIN)
        if not connection.in_transaction():
            connection.begin()
        cursor = driver_cursor(connection)
        try:
            self._accept(connection, cursor)
            yield cursor
        finally:
            cursor.close()

    def _accept(self, connection: sa.Connection, cursor: Cursor) -> None:
        if connection.dialect.name != "sqlite":
            raise Unsupported(
                f"within: expected a transaction on {self._path}, "
                f"found one on {connection.dialect.name}"
            )
        if connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT":
            raise Unsupported("within: expected an open transaction, found one in AUTOCOMMIT")
        cursor.execute("PRAGMA database_list")
        files = {row[1]: row[2] for row in cursor.fetchall()}
        main = files.get("main") or "a database in memory"
        if os.path.realpath(main) != os.path.realpath(self._path):
            raise Unsupported(
                f"within: expected a transaction on {self._path}, found one on {main}; tasks can "
                "only be part of a transaction on the file that holds them"
            )
        # The driver begins by itself only before a change, and not at all in autocommit; what is
        # put must not be committed before the caller commits.
        if not connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]  # it is open
            cursor.execute("BEGIN IMMEDIATE")


def _cannot_open(path: str) -> str:
    folder = Path(path).parent
    if not folder.is_dir():
        return f"expected the folder {folder} for {path}, found none; create it or change the URL"
    if Path(path).is_dir():
        return f"expected the path of a file, found the folder {path}; change the URL"
    return (
        f"cannot open {path}; let this user read and write the file and its folder "
        "(SQLite keeps two more files beside it)"
    )


def _driver_error(error: BaseException) -> BaseException:
    return getattr(error, "orig", None) or error


def _code(error: Exception) -> int | None:
    # Extended codes carry the plain one in their low byte.
    code = getattr(_driver_error(error), "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _text(error: Exception) -> str:
    return str(_driver_error(error))
