"""Connections and transactions of one process on SQLite.

All writes go through one connection behind one lock: SQLite lets one writer in at a time, and
threads of a process that queue on a lock neither sleep longer than needed nor overtake for ever,
as they would in SQLite's busy handler. Between processes ``BEGIN IMMEDIATE`` decides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from random import uniform
from typing import Final, TypeVar

import sqlalchemy as sa

from taskkit.clock import Clock, monotonic, sleep
from taskkit.errors import Unavailable
from taskkit_relational.migrations import Layout
from taskkit_relational.statements import Cursor
from taskkit_relational.store import Alone, Committed, Look, Transaction, nobody
from taskkit_sql.forking import attend
from taskkit_sql.joining import driver_cursor
from taskkit_sql.sqlite import Sqlite

_FIRST_PAUSE: Final = 0.0002
_LONGEST_PAUSE: Final = 0.001
"""Seconds between attempts to get the write lock: about as long as another one's batch takes."""


_QUIET_SECONDS: Final = 2.0
"""How long a fork, and closing, waits for the store to be free."""

T = TypeVar("T")


class SingleWriter:
    """One store, as one process sees it. Opened when first used; safe to use after a fork.

    Args:
        dialect: How to talk to SQLite.
        layout: The tables.
        create: Whether a store without tables gets them on first use.
        clock: The store's time.
        busy_timeout: Seconds to wait for other writers.
    """

    def __init__(
        self, dialect: Sqlite, layout: Layout, create: bool, clock: Clock, busy_timeout: float
    ) -> None:
        self.dialect = dialect
        self.clock = clock
        self._layout = layout
        self._create = create
        self.committed: Committed = nobody
        """Called after each commit."""
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

    def _open(self) -> None:
        """Make sure that the tables are those of this code; create them if there are none.

        Raises:
            SchemaMismatch: they are older or newer; says which command helps.
        """
        if not self._prepared:
            with self._preparing:
                self._prepare()

    def _prepare(self) -> None:
        if self._prepared:
            return
        with self.reading() as cursor:
            applied = self.applied(cursor)
        if not applied and self._create:
            self.migrate()
        else:
            self._layout.check(applied)
        self._prepared = True

    def applied(self, cursor: Cursor) -> set[int]:
        """Return the versions of the steps that were run."""
        return self._layout.applied(cursor, self.dialect.tables(cursor))

    def migrate(self) -> None:
        """Run every step that has not been run."""
        with self._writing_alone() as cursor:
            self._layout.prepare(cursor)
            self._layout.run(cursor, self.applied(cursor), self.clock.now())

    def _connect(self) -> sa.Connection:
        if self._refusal is not None:
            raise Unavailable(self._refusal)
        with self._creating:
            if self._engine is None:
                self._engine = self.dialect.engine()
            engine = self._engine
        return self._patiently(engine.connect)

    def preload(self) -> None:
        """Import what the engine needs, and open nothing: for workers that are forked from here."""
        self.dialect.engine().dispose()

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
        is_ours = self._writing.acquire(timeout=left)
        self._is_quiet = is_ours and unread
        if self._is_quiet:
            self._let_go()
        elif is_ours:
            # Now: after a fork that was not quiet nobody gives it back.
            self._writing.release()

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

    def read(self, work: Callable[[Look], T]) -> T:
        """Read; each statement sees what was committed before it."""
        self._open()
        with self.reading() as cursor:
            return work(Look(cursor, self.clock.now))

    def snapshot(self, work: Callable[[Look], T]) -> T:
        """Read; all statements see the same state."""
        self._open()
        with self.reading() as cursor:
            # Without the write lock: the first read fixes what the others see.
            cursor.execute("BEGIN")
            try:
                return work(Look(cursor, self.clock.now))
            finally:
                cursor.execute("ROLLBACK")

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Do work in a transaction: committed when it returns, rolled back when it raises."""
        self._open()
        with self._writing_alone() as cursor:
            transaction = self._begun(cursor)
            result = work(transaction)
            if transaction.wakes:
                self.dialect.statements.wake(cursor)
        self.committed(wakes=transaction.wakes, finished=transaction.finished)
        return result

    def alone(
        self,
        work: Callable[[Alone], T | None],  # noqa: ARG002 - to begin and commit costs nothing here
        *,
        wakes: bool = False,  # noqa: ARG002 - as above
        finished: Collection[str] = (),  # noqa: ARG002 - as above
    ) -> T | None:
        """Do nothing: each statement is a call of a function, not a round trip."""
        return None

    def join(self, within: object, work: Callable[[Transaction], T]) -> T:
        """Do work in a caller's open transaction, all of it or none, and leave that open."""
        with self.translating(), self.dialect.joining(within) as cursor:
            if not self._prepared:
                # Not by a connection of our own: it would wait for this very transaction.
                self._prepare_within(cursor)
            # The caller may go on after QueueFull, so that what was put must go by itself.
            cursor.execute("SAVEPOINT taskkit_put")
            try:
                transaction = self._begun(cursor)
                result = work(transaction)
                if transaction.wakes:
                    self.dialect.statements.wake(cursor)
            except BaseException:
                cursor.execute("ROLLBACK TO taskkit_put")
                raise
            finally:
                cursor.execute("RELEASE taskkit_put")
        return result

    def _prepare_within(self, cursor: Cursor) -> None:
        """As ``_open``, in a caller's transaction: the tables exist if and only if it commits."""
        applied = self.applied(cursor)
        if not applied and self._create:
            self._layout.prepare(cursor)
            self._layout.run(cursor, applied, self.clock.now())
        else:
            self._layout.check(applied)

    def _begun(self, cursor: Cursor) -> Transaction:
        # The time is read after the lock was got, so that it grows with the order of writes.
        _wakes, steered = self.dialect.statements.begun(cursor)
        return Transaction(cursor, self.clock.now(), steered)

    @contextmanager
    def reading(self) -> Iterator[Cursor]:
        """Give a cursor without a look at the tables first. Not to be nested."""
        with self._gate:
            self._gate.wait_for(lambda: not self._is_forking)
            self._reading += 1
        try:
            with self.translating(), self._connect() as connection:
                cursor = driver_cursor(connection)
                try:
                    yield cursor
                finally:
                    cursor.close()
                if self._refusal is not None:
                    connection.detach()  # from a pool that nobody will empty again
        finally:
            with self._gate:
                self._reading -= 1
                self._gate.notify_all()

    @contextmanager
    def _writing_alone(self) -> Iterator[Cursor]:
        with self.translating(), self._writing:
            _connection, cursor = self._writer or self._open_writer()
            # Also where it begins, or an interruption at that moment would leave it open.
            try:
                if self.dialect.is_in_transaction(cursor):
                    cursor.execute("ROLLBACK")  # one that was interrupted while it was rolled back
                self._patiently(lambda: self.dialect.begin(cursor))
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                # Where the error has ended the transaction already there is none to end.
                with suppress(*self.dialect.errors):
                    cursor.execute("ROLLBACK")
                raise

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Turn the driver's errors into taskkit's."""
        try:
            yield
        except self.dialect.errors as error:
            raise self.dialect.translate(error) from error

    def _open_writer(self) -> tuple[sa.Connection, Cursor]:
        connection = self._connect()
        cursor = driver_cursor(connection)
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


# Never emptied: see `after_fork_in_child`.
_left_to_parent: list[object] = []

__all__ = ["SingleWriter"]
