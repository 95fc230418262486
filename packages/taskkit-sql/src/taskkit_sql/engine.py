"""Connections and transactions of one process.

All writes go through one connection behind one lock: SQLite lets one writer in at a time, and
threads of a process that queue on a lock neither sleep longer than needed nor overtake for ever,
as they would in SQLite's busy handler. Between processes ``BEGIN IMMEDIATE`` decides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import uniform
from typing import Final, TypeVar, cast

import sqlalchemy as sa

from taskkit.clock import Clock, monotonic, sleep
from taskkit.errors import Unavailable
from taskkit_sql.dialects import Cursor, Dialect
from taskkit_sql.forking import attend

_FIRST_PAUSE: Final = 0.0002
_LONGEST_PAUSE: Final = 0.001
"""Seconds between attempts to get the write lock: about as long as another one's batch takes."""


_QUIET_SECONDS: Final = 2.0
"""How long a fork, and closing, waits for the store to be free."""

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
        self.forking: list[Callable[[], None]] = []
        """Called before a fork: whoever holds a connection for long has to give it back."""
        self.forked: list[Callable[[], None]] = []
        """Called in the child after a fork."""
        self._busy_timeout = busy_timeout
        self._refusal: str | None = None
        self._reset()
        attend(self)

    def _reset(self) -> None:
        # Taken in this order: preparing, then writing; the other two are never held for long.
        self._preparing = threading.RLock()
        self._writing = threading.Lock()
        self._creating = threading.Lock()
        self._gate = threading.Condition()
        self._reading = 0
        self._is_forking = False
        self._is_quiet = False
        self._engine: sa.Engine | None = None
        self._writer: tuple[sa.Connection, Cursor] | None = None
        self._prepared = False

    # ---- opening and closing

    def open(self) -> None:
        """Make sure that the store can be used."""
        if self._prepared:
            return
        with self._preparing:
            if not self._prepared:
                self.prepare()
                self._prepared = True

    @property
    def is_open(self) -> bool:
        """Whether the schema has been checked."""
        return self._prepared

    def _connect(self) -> sa.Connection:
        if self._refusal is not None:
            raise Unavailable(self._refusal)
        with self._creating:
            if self._engine is None:
                self._engine = self.dialect.engine()
            engine = self._engine
        return self._patiently(engine.connect)

    def close(self) -> None:
        """Close every connection, after whoever uses one."""
        self._refusal = "this backend has been closed; open a new one"
        with self._gate:
            self._gate.wait_for(lambda: self._reading == 0, _QUIET_SECONDS)
        with self._writing:
            self._let_go()

    def _let_go(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(*self.dialect.errors):
                writer[0].close()
        with self._creating:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose()

    # ---- forks

    def before_fork(self) -> None:
        """Close every connection, if they become free in time."""
        deadline = monotonic() + _QUIET_SECONDS
        with self._gate:
            self._is_forking = True
        for callback in self.forking:
            callback()
        with self._gate:
            unread = self._gate.wait_for(lambda: self._reading == 0, _QUIET_SECONDS)
        left = max(0.0, deadline - monotonic())
        self._is_quiet = self._writing.acquire(timeout=left) and unread
        if self._is_quiet:
            self._let_go()

    def after_fork_in_parent(self) -> None:
        """Go on; connections are opened again when they are needed."""
        if self._is_quiet:
            self._is_quiet = False
            self._writing.release()
        with self._gate:
            self._is_forking = False
            self._gate.notify_all()

    def after_fork_in_child(self) -> None:
        """Begin anew."""
        if not self._is_quiet:
            # Not even garbage-collected: closing them would undo the parent's locks.
            _left_to_parent.append((self._engine, self._writer))
            self._refusal = (
                "this process was forked while its parent was using the store, which SQLite "
                "cannot bear; start it by spawn or forkserver, or fork before the store is used"
            )
        self._reset()
        for callback in self.forked:
            callback()

    # ---- transactions

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection for one statement that reads; errors are translated."""
        self.open()
        with self.reading() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """Give a connection for several statements that read the same state of the store."""
        with self.read() as connection:
            cursor = cursor_of(connection)
            self.dialect.begin_snapshot(cursor)
            try:
                yield connection
            finally:
                cursor.execute("ROLLBACK")
                cursor.close()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Give a connection without a look at the schema first. Not to be nested."""
        with self._gate:
            self._gate.wait_for(lambda: not self._is_forking)
            self._reading += 1
        try:
            with self.translating(), self._connect() as connection:
                yield connection
                if self._refusal is not None:
                    connection.detach()  # from a pool that nobody will empty again
        finally:
            with self._gate:
                self._reading -= 1
                self._gate.notify_all()

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
            with self._writing:
                connection, cursor = self._writer or self._open_writer()
                self._patiently(lambda: self.dialect.begin(cursor))
                try:
                    transaction = Transaction(connection, cursor, self.clock.now())
                    yield transaction
                    wakes = self.dialect.hot.wake(cursor) if transaction.wakes else None
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
        connection = self._connect()
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


# Never emptied: see `after_fork_in_child`.
_left_to_parent: list[object] = []

__all__ = ["Database", "Transaction", "cursor_of"]
