"""The rules' work on a connection of Django: transactions, and what to do when they fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from random import uniform
from typing import Final, Protocol, TypeVar

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import Error

from taskkit.clock import Clock, sleep
from taskkit.errors import AttemptCancelled, AttemptTimedOut, Unsupported
from taskkit_django.backend.tables import Tables
from taskkit_django.backend.tended import lost
from taskkit_django.backend.vendor import Vendor
from taskkit_django.backend.watching import watched
from taskkit_relational.statements import Cursor
from taskkit_relational.store import Alone, Committed, Look, Transaction, nobody

_TRIES: Final = 10
_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.2
"""Seconds between two tries; each pause is up to twice as long as the one before."""

_INTERRUPTIONS: Final = (AttemptTimedOut, AttemptCancelled)
"""Raised in a thread from outside, wherever it happens to be."""

T = TypeVar("T")

_log = logging.getLogger("taskkit.django")


class Lender(Protocol):
    """Where connections come from."""

    def lend(self) -> AbstractContextManager[BaseDatabaseWrapper]:
        """Give an open connection for as long as the context lasts."""
        ...

    def discard(self, connection: BaseDatabaseWrapper) -> None:
        """Take note that a connection is of no more use."""
        ...

    def resolve(self, within: object) -> BaseDatabaseWrapper:
        """Return the connection that somebody names: it leads to the same database.

        Raises:
            Unsupported: it does not, or is none.
        """
        ...


class Transactions:
    """One store, through connections of one kind. Usable from all threads.

    On a connection that is in a transaction already all work is part of that.

    Args:
        vendor: How to talk to this kind of database.
        tables: The store's tables.
        lender: Where connections come from.
        clock: The store's time; None: the database's.
    """

    def __init__(self, vendor: Vendor, tables: Tables, lender: Lender, clock: Clock | None) -> None:
        self.vendor = vendor
        self.clock = clock
        self.committed: Committed = nobody
        """Called after each commit."""
        self.may_refuse: Callable[[int], bool] = lambda _steered: True
        """Whether a put may be refused once it is half done, as of a count of changes to limits."""
        self.conflicts = 0
        """How often a transaction was begun anew."""
        self._tables = tables
        self._lender = lender
        self._errors: tuple[type[Exception], ...] = (*vendor.errors, Error)

    # ---- the Database protocol

    def read(self, work: Callable[[Look], T]) -> T:
        """Read; each statement sees what was committed before it."""

        def within(_connection: BaseDatabaseWrapper, cursor: Cursor) -> T:
            self._tables.ensure(cursor)
            return work(self._look(cursor))

        return self._again(within)

    def snapshot(self, work: Callable[[Look], T]) -> T:
        """Read; all statements see the same state, as far as a caller's transaction lets them."""

        def within(connection: BaseDatabaseWrapper, cursor: Cursor) -> T:
            self._tables.ensure(cursor)
            if is_in_transaction(connection):
                return work(self._look(cursor))
            self.vendor.begin_snapshot(cursor)
            with self._undoing(cursor):
                result = work(self._look(cursor))
                cursor.execute("COMMIT")
            return result

        return self._again(within)

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Do work in a transaction: committed when it returns, rolled back when it raises.

        In a caller's transaction it stands if and only if that commits.
        """
        begun: list[Transaction] = []

        def within(connection: BaseDatabaseWrapper, cursor: Cursor) -> T:
            self._tables.ensure(cursor)
            if is_in_transaction(connection):
                return self._joined(connection, cursor, work)
            begun.clear()
            with self.vendor.turn():
                return self._alone(cursor, work, begun)

        # What a connection does not survive once begun may have been committed nevertheless.
        result = self._again(within, may_repeat=lambda: not begun)
        if begun:
            self.committed(wakes=begun[0].wakes, finished=begun[0].finished)
        return result

    def alone(
        self,
        work: Callable[[Alone], T | None],
        *,
        wakes: bool = False,
        finished: Collection[str] = (),
    ) -> T | None:
        """Say statements: of a caller's transaction, or in autocommit."""
        now = None if self.clock is None else self.clock.now()
        is_joined = False

        def within(connection: BaseDatabaseWrapper, cursor: Cursor) -> T | None:
            nonlocal is_joined
            self._tables.ensure(cursor)
            is_joined = is_in_transaction(connection)
            if not self.vendor.takes_shortcuts(joined=is_joined):
                return None
            news = self.vendor.news(wakes=wakes, finished=bool(finished), joined=is_joined)
            alone = Alone(cursor, now, news)
            if not is_joined:
                return work(alone)
            result = self._joined_alone(connection, lambda: work(alone))
            if result is not None:
                self._tell_later(connection, wakes=wakes, finished=finished)
            return result

        # To put or to settle again changes nothing more; a claim whose answer was lost is given
        # back by the heartbeats that do not name it.
        result = self._again(within)
        if result is not None and not is_joined:
            self.committed(wakes=wakes, finished=finished)
        return result

    def join(self, within: object, work: Callable[[Transaction], T]) -> T:
        """Do work in a caller's open transaction, all of it or none, and leave that open.

        Needed only where that is on another alias of the same database: those of the store's own
        are joined without being named.
        """
        connection = self._lender.resolve(within)
        if not is_in_transaction(connection):
            raise Unsupported(
                f"within: expected an open transaction on {connection.alias!r}, found none; "
                f"put the task in: with transaction.atomic(using={connection.alias!r})"
            )
        return self._again(lambda given, cursor: self._joined(given, cursor, work), on=connection)

    # ---- transactions

    def _alone(
        self, cursor: Cursor, work: Callable[[Transaction], T], under_way: list[Transaction]
    ) -> T:
        begun = self.vendor.begin(cursor)
        now = begun.now if self.clock is None else self.clock.now()
        done = Transaction(cursor, now, begun.steered)
        under_way.append(done)
        with self._undoing(cursor):
            result = work(done)
            self.vendor.commit(cursor, wakes=done.wakes, finished=bool(done.finished))
        return result

    def _joined(
        self, connection: BaseDatabaseWrapper, cursor: Cursor, work: Callable[[Transaction], T]
    ) -> T:
        _check_joinable(connection)
        self.vendor.join(cursor)
        begun = self.vendor.begun(cursor)
        now = begun.now if self.clock is None else self.clock.now()
        done = Transaction(cursor, now, begun.steered)
        # The caller may go on after QueueFull, so that what was put must go by itself. Any other
        # error breaks the block, as one of the ORM would, and costs no savepoint.
        if self.may_refuse(begun.steered) or not connection.in_atomic_block:
            result = self._undoable(connection, cursor, lambda: work(done))
        else:
            try:
                result = work(done)
            except BaseException:
                connection.needs_rollback = True
                raise
        self.vendor.tell(cursor, wakes=done.wakes, finished=bool(done.finished))
        if connection.in_atomic_block:
            self._tell_later(connection, wakes=done.wakes, finished=done.finished)
        return result

    def _joined_alone(
        self, connection: BaseDatabaseWrapper, work: Callable[[], T | None]
    ) -> T | None:
        _check_joinable(connection)
        try:
            return work()
        except BaseException:
            # As an error of the ORM would: PostgreSQL takes no further statement.
            connection.needs_rollback = connection.in_atomic_block
            raise

    def _tell_later(
        self, connection: BaseDatabaseWrapper, *, wakes: bool, finished: Collection[str]
    ) -> None:
        """Tell this process when the caller commits."""
        if connection.in_atomic_block:
            transaction.on_commit(
                lambda: self.committed(wakes=wakes, finished=finished), using=connection.alias
            )

    def _undoable(
        self, connection: BaseDatabaseWrapper, cursor: Cursor, work: Callable[[], T]
    ) -> T:
        cursor.execute("SAVEPOINT taskkit_put")
        try:
            result = work()
        except BaseException:
            try:
                cursor.execute("ROLLBACK TO SAVEPOINT taskkit_put")
            except self._errors:
                # The savepoint is gone with all else: MySQL rolls the whole transaction back when
                # it is the victim of a deadlock. What the block does next must not stand alone.
                connection.needs_rollback = connection.in_atomic_block
            raise
        cursor.execute("RELEASE SAVEPOINT taskkit_put")
        return result

    @contextmanager
    def _undoing(self, cursor: Cursor) -> Iterator[None]:
        try:
            yield
        except BaseException:
            with suppress(*self._errors):
                cursor.execute("ROLLBACK")
            raise

    def _look(self, cursor: Cursor) -> Look:
        clock = self.clock
        return Look(
            cursor, (lambda: self.vendor.statements.now(cursor)) if clock is None else clock.now
        )

    # ---- failing

    def _again(
        self,
        work: Callable[[BaseDatabaseWrapper, Cursor], T],
        *,
        may_repeat: Callable[[], bool] = lambda: True,
        on: BaseDatabaseWrapper | None = None,
    ) -> T:
        """Do work on a connection; again where another transaction was in its way.

        Once more, too, where the connection turned out to have been dead for long.
        """
        pause, was_lost = _FIRST_PAUSE, False
        for left in range(_TRIES - 1, -1, -1):
            joins = False
            try:
                with self._connected(on) as (connection, cursor):
                    joins = is_in_transaction(connection)
                    return work(connection, cursor)
            except self._errors as error:
                found = cause(error)
                repeats = self.vendor.is_conflict(found)
                if self.vendor.is_lost(found):
                    lost.count += 1
                    repeats, was_lost = not was_lost and may_repeat(), True
                # In a caller's transaction all of it would have to be begun anew.
                if joins or not left or not repeats:
                    raise self.vendor.translate(found) from error
                self.conflicts += 1
                _log.debug("began a transaction anew: %s", error)
            # With jitter, or two that collided once would keep step.
            sleep(uniform(pause / 2, pause))  # noqa: S311 - not a secret
            pause = min(pause * 2, _LONGEST_PAUSE)
        raise AssertionError("unreachable")

    @contextmanager
    def _connected(
        self, on: BaseDatabaseWrapper | None
    ) -> Iterator[tuple[BaseDatabaseWrapper, Cursor]]:
        """Give a connection and a cursor on it; the driver's errors leave it as they are."""
        with self._lender.lend() if on is None else nullcontext(on) as connection:
            try:
                cursor = watched(self.vendor.cursor(connection))
                try:
                    yield connection, cursor
                finally:
                    with suppress(*self._errors):
                        cursor.close()
            except BaseException as error:
                if self._breaks(error):
                    self._lender.discard(connection)
                raise

    def _breaks(self, error: BaseException) -> bool:
        """Return whether a connection on which this was raised is of no more use."""
        if isinstance(error, self._errors):
            return self.vendor.is_lost(cause(error))
        # Interrupted: nobody knows what is under way on it.
        return isinstance(error, _INTERRUPTIONS) or not isinstance(error, Exception)


def _check_joinable(connection: BaseDatabaseWrapper) -> None:
    if connection.needs_rollback:
        raise Unsupported(
            f"expected a transaction on {connection.alias!r} that can be committed, found one "
            "that an earlier error has broken; leave its atomic() block first"
        )


def is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Return whether somebody has begun a transaction on a connection, and will end it."""
    return connection.in_atomic_block or not connection.get_autocommit()


def cause(error: BaseException) -> BaseException:
    """Return the driver's own error, where Django has wrapped it."""
    return error.__cause__ or error if isinstance(error, Error) else error
