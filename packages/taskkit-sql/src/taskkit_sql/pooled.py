"""Connections and transactions of one process on a database server.

Many transactions at once, each on a connection of a small pool. Where one was in another's way
(a deadlock, a key that was taken meanwhile) it is begun anew, a bounded number of times. A
connection that failed is thrown away, and the next one is looked at before it is trusted.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from random import uniform
from typing import Final, TypeVar, cast

from taskkit.clock import Clock, sleep
from taskkit.errors import TaskkitError, Unavailable
from taskkit_relational.migrations import Layout
from taskkit_relational.statements import Cursor
from taskkit_relational.store import Alone, Committed, Look, Transaction, nobody
from taskkit_relational.sweeping import Sweeper
from taskkit_sql.forking import attend
from taskkit_sql.lending import Lending, Loan
from taskkit_sql.server import Server

_TRIES: Final = 10
_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.2
"""Seconds between two tries; each pause is up to twice as long as the one before."""

T = TypeVar("T")

_log = logging.getLogger("taskkit.sql")


class Pooled:
    """One store, as one process sees it. Opened when first used; safe to use after a fork.

    Args:
        server: How to talk to this kind of server.
        layout: The tables.
        create: Whether a store without tables gets them on first use.
        clock: The store's time; None: the server's.
    """

    def __init__(self, server: Server, layout: Layout, create: bool, clock: Clock | None) -> None:
        self.server = server
        self.clock = clock
        self._layout = layout
        self._create = create
        self.committed: Committed = nobody
        """Called after each commit."""
        self.forked: list[Callable[[], None]] = []
        """Called in the child after a fork."""
        self.conflicts = 0
        """How often a transaction was begun anew."""
        self._refusal: str | None = None
        self._sweeper = Sweeper(self._sweep) if server.leaves_dead_rows else None
        self._left: Lending | None = None
        """What belongs to the parent of this process."""
        self._reset()
        attend(self)

    def _reset(self) -> None:
        self._creating = threading.RLock()
        self._connections: Lending | None = None
        self._prepared = False

    # ---- opening and closing

    def _open(self) -> None:
        """Make sure that the tables are those of this code; create them if there are none."""
        if not self._prepared:
            with self._creating:
                self._prepare()

    def _prepare(self) -> None:
        if self._prepared:
            return
        applied = self.applied()
        if not applied and self._create:
            self.migrate()
        else:
            self._layout.check(applied)
        self._prepared = True

    def applied(self) -> set[int]:
        """Return the versions of the steps that were run."""
        return self._again(lambda cursor: self._layout.applied(cursor, self.server.tables(cursor)))

    def migrate(self) -> None:
        """Run every step that has not been run."""

        def work(cursor: Cursor) -> None:
            with self.server.migrating(cursor):
                self._layout.prepare(cursor)
                applied = self._layout.applied(cursor, self.server.tables(cursor))
                self._layout.run(cursor, applied, self.server.statements.now(cursor))

        self._again(work)

    def _lending(self) -> Lending:
        """Return what lends connections, made when first asked for."""
        if self._refusal is not None:
            raise Unavailable(self._refusal)
        lending = self._connections
        if lending is None:
            with self._creating:
                if self._left is not None:
                    self._left.forget()
                    self._left = None
                lending = self._connections = self._connections or Lending(self.server)
        return lending

    def preload(self) -> None:
        """Import what the engine needs, and open nothing: for workers that are forked from here."""
        self.server.engine().dispose()

    def close(self) -> None:
        """Close every connection; those in use when they are given back."""
        self._refusal = "this backend has been closed; open a new one"
        if self._sweeper is not None:
            self._sweeper.close()
        lending, self._connections = self._connections, None
        if lending is not None:
            lending.close()

    # ---- forks

    def before_fork(self) -> None:
        """Do nothing: a server does not mind that its clients fork."""

    def after_fork_in_parent(self) -> None:
        """Do nothing: all goes on."""

    def after_fork_in_child(self) -> None:
        """Begin anew, before there are threads that could meet half of it."""
        # Connections of the parent: not even closed, which would end them for the parent. The
        # engine is asked to forget them only where this process needs one, outside of the fork.
        self._left = self._connections or self._left
        self._reset()
        if self._sweeper is not None:
            self._sweeper.reset()
        for callback in self.forked:
            callback()

    # ---- transactions

    def read(self, work: Callable[[Look], T]) -> T:
        """Read; each statement sees what was committed before it."""
        self._open()
        return self._again(lambda cursor: work(self._look(cursor)))

    def snapshot(self, work: Callable[[Look], T]) -> T:
        """Read; all statements see the same state."""
        self._open()

        def within(cursor: Cursor) -> T:
            self.server.begin_snapshot(cursor)
            with self._undoing(cursor):
                result = work(self._look(cursor))
                cursor.execute("COMMIT")
            return result

        return self._again(within)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Do work in a transaction: committed when it returns, rolled back when it raises."""
        self._open()

        def within(cursor: Cursor) -> tuple[T, Transaction]:
            begun = self.server.begin(cursor)
            now = begun.now if self.clock is None else self.clock.now()
            transaction = Transaction(cursor, now, begun.steered)
            with self._undoing(cursor):
                result = work(transaction)
                self.server.commit(
                    cursor, wakes=transaction.wakes, finished=bool(transaction.finished)
                )
            return result, transaction

        result, transaction = self._again(within)
        self.committed(wakes=transaction.wakes, finished=transaction.finished)
        if self._sweeper is not None:
            self._sweeper.worked()
        return result

    def alone(
        self,
        work: Callable[[Alone], T | None],
        *,
        wakes: bool = False,
        finished: Collection[str] = (),
    ) -> T | None:
        """Say statements: in autocommit each is a transaction by itself."""
        self._open()
        now = None if self.clock is None else self.clock.now()
        news = self.server.news(wakes=wakes, finished=bool(finished))
        result = self._again(lambda cursor: work(Alone(cursor, now, news)), direct=True)
        if result is not None:
            self.committed(wakes=wakes, finished=finished)
            if self._sweeper is not None and not wakes:
                self._sweeper.worked()
        return result

    def join(self, within: object, work: Callable[[Transaction], T]) -> T:
        """Do work in a caller's open transaction, all of it or none, and leave that open."""
        self._open()
        with self.translating(), self.server.joining(within) as cursor:
            # The caller may go on after QueueFull, so that what was put must go by itself.
            cursor.execute("SAVEPOINT taskkit_put")
            try:
                now = self._look(cursor).now()
                steered = self.server.statements.steered(cursor)
                transaction = Transaction(cursor, now, steered)
                result = work(transaction)
                self.server.tell(
                    cursor, wakes=transaction.wakes, finished=bool(transaction.finished)
                )
            except BaseException as error:
                self._undo_put(cursor, error)
                raise
            cursor.execute("RELEASE SAVEPOINT taskkit_put")
        return result

    def _undo_put(self, cursor: Cursor, error: BaseException) -> None:
        try:
            cursor.execute("ROLLBACK TO SAVEPOINT taskkit_put")
        except self.server.errors:
            # After a deadlock MySQL has undone the whole transaction, and says so to nobody: what
            # the caller did next would be committed without what it did before.
            if isinstance(error, self.server.errors):
                raise Unavailable(
                    "within: expected the transaction to go on, found it undone by the server with "
                    "all that was done before in it; roll it back, and do all of it again "
                    f"({self.server.translate(error)})"
                ) from error

    def _sweep(self) -> None:
        self._again(self.server.tidy)

    def _look(self, cursor: Cursor) -> Look:
        clock = self.clock
        return Look(
            cursor, (lambda: self.server.statements.now(cursor)) if clock is None else clock.now
        )

    @contextmanager
    def _undoing(self, cursor: Cursor) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with suppress(*self.server.errors):
                cursor.execute("ROLLBACK")
            raise

    def _again(self, work: Callable[[Cursor], T], *, direct: bool = False) -> T:
        """Do work on a connection; again where another transaction was in its way."""
        pause = _FIRST_PAUSE
        for left in range(_TRIES - 1, -1, -1):
            try:
                with self.connected(direct=direct) as cursor:
                    return work(cursor)
            except self.server.errors as error:
                if not left or not self.server.is_conflict(error):
                    raise self.server.translate(error) from error
                self.conflicts += 1
                _log.debug("began a transaction anew: %s", error)
            # With jitter, or two that collided once would keep step.
            sleep(uniform(pause / 2, pause))  # noqa: S311 - not a secret
            pause = min(pause * 2, _LONGEST_PAUSE)
        raise AssertionError("unreachable")

    @contextmanager
    def connected(self, *, direct: bool = False) -> Iterator[Cursor]:
        """Give a cursor on a connection of the pool; the driver's errors leave it as they are.

        ``direct``: one that stays with the connection, for what is said again and again.
        """
        lending = self._lending()
        loan = lending.take()
        try:
            if direct:
                yield loan.direct
            else:
                cursor = cast("Cursor", loan.connection.cursor())
                try:
                    yield cursor
                finally:
                    with suppress(*self.server.errors):
                        cursor.close()
        except TaskkitError:
            raise
        except BaseException as error:
            self._give_up(lending, loan, error)
            raise
        finally:
            with suppress(*self.server.errors):
                lending.give_back(loan)

    def _give_up(self, lending: Lending, loan: Loan, error: BaseException) -> None:
        """Throw a connection away that may be of no more use, and distrust the others."""
        if not isinstance(error, self.server.errors):
            loan.invalidate(error)  # interrupted: nobody knows what is under way on it
        elif self.server.is_lost(error):
            loan.invalidate(error)
            lending.distrust()

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Turn the driver's errors into taskkit's."""
        try:
            yield
        except self.server.errors as error:
            raise self.server.translate(error) from error


__all__ = ["Pooled"]
