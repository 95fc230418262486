"""Connections and transactions of one process.

All writes go through one connection behind one lock: SQLite lets one writer in at a time, and
threads of a process that queue on a lock neither sleep longer than needed nor overtake for ever,
as they would in SQLite's busy handler. Between processes ``BEGIN IMMEDIATE`` decides.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import uniform
from typing import Final, TypeVar, cast

import sqlalchemy as sa

from taskkit.clock import Clock, monotonic, sleep
from taskkit.errors import Unavailable
from taskkit_sql.dialects import Cursor, Dialect

_FIRST_PAUSE: Final = 0.0002
_LONGEST_PAUSE: Final = 0.001
"""Seconds between attempts to get the write lock: about as long as another one's batch takes."""


T = TypeVar("T")


@dataclass(slots=True)
class Transaction:
    """What the parts of a transaction share."""

    connection: sa.Connection
    """For statements in Core."""
    cursor: Cursor
    """For the hot statements; of the same connection."""
    now: int
    """The store's now, read after the lock was got, so that it grows with the order of writes."""
    wakes: bool = False
    """Whether something may have become claimable."""
    finished: list[str] = field(default_factory=list)
    """Ids of tasks that have finished or are gone."""


class Database:
    """One store, as one process sees it. Opened when first used; safe to use after a fork."""

    def __init__(self, dialect: Dialect, clock: Clock, busy_timeout: float) -> None:
        self.dialect = dialect
        self.clock = clock
        self.prepare: Callable[[], None] = lambda: None
        """Checks the schema, once, before the first use."""
        self.committed: Callable[[Transaction, int | None], None] = lambda _tx, _wakes: None
        """Called after each commit, with the store's count of wakes if it was raised."""
        self.forked: list[Callable[[], None]] = []
        """Called in the child after a fork, before anything else."""
        self._busy_timeout = busy_timeout
        self._closed = False
        self._reset()
        _open_databases.add(self)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._opening = threading.RLock()
        self._engine: sa.Engine | None = None
        self._writer: tuple[sa.Connection, Cursor] | None = None
        self._prepared = False

    def after_fork(self) -> None:
        """Leave every connection to the parent: closing one here would break its locks."""
        _left_to_parent.append((self._engine, self._writer))
        self._reset()
        for callback in self.forked:
            callback()

    # ---- opening and closing

    def open(self) -> None:
        """Make sure that the store can be used."""
        if self._prepared:
            return
        with self._opening:
            if not self._prepared:
                self.prepare()
                self._prepared = True

    @property
    def is_open(self) -> bool:
        """Whether the schema has been checked."""
        return self._prepared

    def connect(self) -> sa.Connection:
        """Return a connection of its own, which the caller closes."""
        if self._closed:
            raise Unavailable("this backend has been closed; open a new one")
        with self._opening:
            if self._engine is None:
                self._engine = self.dialect.engine()
        return self._patiently(self._engine.connect)

    def close(self) -> None:
        """Close every connection, after whoever is writing."""
        self._closed = True
        with self._opening, self._lock:
            writer, self._writer = self._writer, None
            if writer is not None:
                with suppress(*self.dialect.errors):
                    writer[0].close()
            if self._engine is not None:
                self._engine.dispose()

    # ---- transactions

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection for one statement that reads; errors are translated."""
        self.open()
        with self.reading() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection without a look at the schema first."""
        with self.translating(), self.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Give a transaction that may write: committed at the end, rolled back on any error."""
        self.open()
        with self.writing() as transaction:
            yield transaction

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Give a transaction without a look at the schema first."""
        with self.translating():
            with self._lock:
                connection, cursor = self._writer or self._open_writer()
                self._patiently(lambda: self.dialect.begin(cursor))
                try:
                    transaction = Transaction(connection, cursor, self.clock.now())
                    yield transaction
                    wakes = self.dialect.wake(cursor) if transaction.wakes else None
                    cursor.execute("COMMIT")
                except BaseException:
                    # Where the error has ended the transaction already there is none to end.
                    with suppress(*self.dialect.errors):
                        cursor.execute("ROLLBACK")
                    raise
            self.committed(transaction, wakes)

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Turn the driver's errors into taskkit's."""
        try:
            yield
        except self.dialect.errors as error:
            raise self.dialect.translate(error) from error

    def _open_writer(self) -> tuple[sa.Connection, Cursor]:
        connection = self.connect()
        cursor = cursor_of(connection)
        self.dialect.prepare_writer(cursor)
        self._writer = connection, cursor
        return self._writer

    def _patiently(self, action: Callable[[], T]) -> T:
        """Do what another writer may be in the way of, for as long as ``busy_timeout``."""
        pause, deadline = _FIRST_PAUSE, monotonic() + self._busy_timeout
        while True:
            try:
                return action()
            except self.dialect.errors as error:
                if not self.dialect.is_busy(error) or monotonic() > deadline:
                    raise
            # With jitter, or two processes that collided once would keep step.
            sleep(uniform(pause / 2, pause))  # noqa: S311 - not a secret
            pause = min(pause * 2, _LONGEST_PAUSE)


def cursor_of(connection: sa.Connection) -> Cursor:
    """Return a driver's cursor on a connection."""
    driver = connection.connection.driver_connection
    assert driver is not None
    return cast("Cursor", driver.cursor())


_open_databases: weakref.WeakSet[Database] = weakref.WeakSet()
# Never emptied: what the child of a fork inherited must not even be garbage-collected.
_left_to_parent: list[object] = []


def _after_fork_in_child() -> None:
    for database in list(_open_databases):
        database.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)

__all__ = ["Database", "Transaction", "cursor_of"]
