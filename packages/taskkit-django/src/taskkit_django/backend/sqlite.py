"""SQLite: transactions on Django's connections to it, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import uniform
from typing import Any, Final, Literal, cast

from django.db.backends.base.base import BaseDatabaseWrapper

from taskkit.clock import monotonic, sleep
from taskkit.errors import BackendError, Corrupt, SchemaMismatch, Unavailable
from taskkit_django.backend.vendor import Begun, Reader
from taskkit_relational.dialects.sqlite.source import SqliteSource
from taskkit_relational.dialects.sqlite.statements import SqliteStatements
from taskkit_relational.statements import Cursor, Shortcuts
from taskkit_relational.store import Look
from taskkit_relational.wakeup import Source

_FIRST_PAUSE: Final = 0.0002
_LONGEST_PAUSE: Final = 0.001
"""Seconds between attempts to get the write lock: about as long as another one's batch takes."""

_DEFAULT_TIMEOUT: Final = 5.0
"""Seconds: sqlite3's own."""

_BUSY: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class Sqlite:
    """What ``django.db.backends.sqlite3`` is made of."""

    name = "sqlite"
    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    wakeup: Literal["push", "poll"] = "push"
    max_data_bytes = 500_000_000  # SQLite's default limit for a row is 1,000,000,000

    def __init__(self, alias: str, prefix: str, settings: dict[str, Any]) -> None:
        self.statements = SqliteStatements(prefix)
        self._alias = alias
        self._prefix = prefix
        self._path = str(settings["NAME"])
        self._timeout = float(settings.get("OPTIONS", {}).get("timeout", _DEFAULT_TIMEOUT))
        self._turn = threading.Lock()

    # ---- connections

    def cursor(self, connection: BaseDatabaseWrapper) -> Cursor:
        """Return a cursor of the driver."""
        return cast("Cursor", connection.connection.cursor())

    def own_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the project's, in autocommit."""
        return {**settings, "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False}

    def prepare(self, connection: BaseDatabaseWrapper) -> None:
        """Do nothing: how durable and how patient it is, the project says."""

    def turn(self) -> threading.Lock:
        """Return the lock of this process's writers: SQLite lets one in at a time."""
        return self._turn

    # ---- transactions

    def begin(self, cursor: Cursor) -> Begun:
        """Take the write lock at once: taken later, it could fail in mid-transaction."""
        # SQLite's own waiting sleeps up to 100 ms, and so never gets its turn.
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            self._patiently(lambda: cursor.execute("BEGIN IMMEDIATE"))
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(self._timeout * 1000)}")
        try:
            return self.begun(cursor)
        except BaseException:
            with suppress(sqlite3.Error):
                cursor.execute("ROLLBACK")
            raise

    def join(self, cursor: Cursor) -> None:
        """Begin where the driver would only before a change, which no savepoint is."""
        driver = cast("sqlite3.Cursor", cursor)
        if not driver.connection.in_transaction:
            cursor.execute("BEGIN IMMEDIATE")

    def begun(self, cursor: Cursor) -> Begun:
        """Return the time and the count of changes to pauses and limits."""
        # The time is read after the lock was got, so that it grows with the order of writes.
        _wakes, steered = self.statements.begun(cursor)
        return Begun(self.statements.now(cursor), steered)

    def begin_snapshot(self, cursor: Cursor) -> None:
        """Begin to read: the first look fixes what the others see."""
        cursor.execute("BEGIN")

    def commit(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:  # noqa: ARG002 - a commit is seen
        """Commit; outside of WAL mode readers may be in the way for a moment."""
        if wakes:
            self.statements.wake(cursor)
        self._patiently(lambda: cursor.execute("COMMIT"))

    def tell(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:  # noqa: ARG002 - as above
        """Let the count of wakes grow."""
        if wakes:
            self.statements.wake(cursor)

    def _patiently(self, action: Callable[[], object]) -> None:
        pause, deadline = _FIRST_PAUSE, monotonic() + self._timeout
        while True:
            try:
                action()
            except sqlite3.Error as error:
                if _code(error) not in _BUSY or monotonic() > deadline:
                    raise
            else:
                return
            # With jitter, or two processes that collided once would keep step.
            sleep(uniform(pause / 2, pause))  # noqa: S311 - not a secret
            pause = min(pause * 2, _LONGEST_PAUSE)

    # ---- errors

    shortcuts: Shortcuts | None = None

    def takes_shortcuts(self, *, joined: bool) -> bool:  # noqa: ARG002 - never
        """Return that it is no gain: to begin and to commit costs no round trip."""
        return False

    def news(self, *, wakes: bool, finished: bool, joined: bool) -> None:
        """Return nothing: nothing is said alone."""

    def is_conflict(self, error: BaseException) -> bool:  # noqa: ARG002 - waited for already
        """Return no: who has the lock is in nobody's way."""
        return False

    def is_lost(self, error: BaseException) -> bool:
        """Return whether the connection was closed."""
        return isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error)

    def translate(self, error: BaseException) -> BackendError:
        """Return what an error of the driver means, by its code, not its text."""
        code, where = _code(error), f"the database {self._alias!r} ({self._path})"
        if code in _BUSY:
            return Unavailable(
                f"expected to be able to write {where}, found another connection holding its lock "
                f"for {self._timeout:g} s; keep atomic() blocks short, and set in DATABASES "
                "'OPTIONS': {'transaction_mode': 'IMMEDIATE', 'init_command': "
                "'PRAGMA journal_mode=WAL'}"
            )
        if code == sqlite3.SQLITE_READONLY:
            return Unavailable(
                f"expected to be able to write {where}, found it read-only; let this user write "
                "the file and its folder (SQLite keeps more files beside it)"
            )
        if code == sqlite3.SQLITE_CANTOPEN:
            return Unavailable(
                f"cannot open {where}; let this user read and write the file and its folder"
            )
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            return Corrupt(
                f"expected {where} to be a sound SQLite database, found: {error}; save what can be "
                "saved with sqlite3's .recover command, or restore a backup"
            )
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
            return Unavailable(f"cannot write {where}: {error}; is the disk full or failing?")
        if "no such table" in str(error) or "no such column" in str(error):
            return SchemaMismatch(
                f"expected taskkit's tables in {where}, found: {error}; "
                f"run: manage.py migrate taskkit --database {self._alias}"
            )
        return BackendError(f"{where}: {error}")

    # ---- tables

    @contextmanager
    def migrating(self, cursor: Cursor) -> Iterator[None]:
        """Change tables in one transaction."""
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield
            cursor.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                cursor.execute("ROLLBACK")
            raise

    def tables(self, cursor: Cursor) -> set[str]:
        """Return the names of the tables of this store's prefix."""
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in cursor.fetchall() if name.startswith(self._prefix)}

    # ---- news

    def source(self, reader: Reader) -> Source:
        """Return a source that watches the file."""
        return SqliteSource(_Readable(self, reader), self.statements, os.path.abspath(self._path))  # noqa: PTH100 - "file:…" of a database in memory stays what it is


class _Readable:
    """A private connection, as ``SqliteSource`` wants one."""

    def __init__(self, vendor: Sqlite, reader: Reader) -> None:
        self._vendor = vendor
        self._reader = reader

    def read(self, work: Callable[[Look], None]) -> None:  # noqa: ARG002 - there is nothing to look at
        self._reader.ensure()

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        with self._reader.private() as connection:
            cursor = self._vendor.cursor(connection)
            try:
                yield cursor
            except sqlite3.Error as error:
                raise self._vendor.translate(error) from error
            finally:
                cursor.close()


def _code(error: BaseException) -> int | None:
    # Extended codes carry the plain one in their low byte.
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
