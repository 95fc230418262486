"""What a kind of database must supply beside its statements: cursors, transactions, errors.

As ``taskkit_sql.server``, but on connections that Django has made.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from django.db.backends.base.base import BaseDatabaseWrapper

from taskkit.errors import BackendError
from taskkit_relational.statements import Cursor, News, Shortcuts, Statements
from taskkit_relational.wakeup import Source


@dataclass(frozen=True, slots=True)
class Begun:
    """What a transaction knows when it has begun."""

    now: int
    """The database's own time in microseconds."""
    steered: int
    """The count of changes to pauses and limits."""


class Reader(Protocol):
    """A way to a connection for a source that watches."""

    def private(self) -> AbstractContextManager[BaseDatabaseWrapper]:
        """Give a connection that nobody else uses, closed at the end of the context."""
        ...

    def ensure(self) -> None:
        """Make sure that the tables are there.

        Raises:
            SchemaMismatch: they are not.
        """
        ...


class Vendor(Protocol):
    """All that is particular to one kind of database."""

    name: str
    """Of the folder of its tables, and in messages."""
    errors: tuple[type[Exception], ...]
    """What its drivers raise. Django's own errors are known to everybody."""
    wakeup: Literal["push", "poll"]
    """How its source learns of what others have done."""
    max_data_bytes: int
    """What a column can hold and one statement can bring."""

    @property
    def statements(self) -> Statements:
        """The SQL of the rules."""
        ...

    def cursor(self, connection: BaseDatabaseWrapper) -> Cursor:
        """Return a cursor of the driver, past Django's, on a connection that is open."""
        ...

    def own_settings(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of taskkit's own connections, made of the project's."""
        ...

    def prepare(self, connection: BaseDatabaseWrapper) -> None:
        """Set up one of taskkit's own connections, which has just been opened."""
        ...

    def turn(self) -> AbstractContextManager[Any]:
        """Return what a transaction of this process is to be in, if only one may write at a time.

        Threads that queue on a lock neither sleep longer than needed nor overtake for ever, as
        they would in the database's own queue.
        """
        ...

    def begin(self, cursor: Cursor) -> Begun:
        """Begin a transaction at READ COMMITTED or above."""
        ...

    def join(self, cursor: Cursor) -> None:
        """Begin a caller's transaction, where its next statement would have."""
        ...

    def begun(self, cursor: Cursor) -> Begun:
        """Return what ``begin`` does, in a transaction that a caller has begun."""
        ...

    def begin_snapshot(self, cursor: Cursor) -> None:
        """Begin a transaction in which every statement reads the same state, and nothing writes."""
        ...

    def commit(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:
        """Commit, and tell other processes.

        Args:
            cursor: In the transaction.
            wakes: Whether something may have become claimable.
            finished: Whether tasks are over.
        """
        ...

    def tell(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:
        """As ``commit`` tells, in the transaction of a caller, who may commit it much later."""
        ...

    @property
    def shortcuts(self) -> Shortcuts | None:
        """What can be said in one statement, where that is a gain."""
        ...

    def takes_shortcuts(self, *, joined: bool) -> bool:
        """Return whether it can be said here: in a caller's transaction, or in autocommit."""
        ...

    def news(self, *, wakes: bool, finished: bool, joined: bool) -> News | None:
        """Return what a statement tells there, of at most one of two things.

        None: nothing, or other processes cannot be told.
        """
        ...

    def is_conflict(self, error: BaseException) -> bool:
        """Return whether another transaction was in the way, so that it is worth beginning anew."""
        ...

    def is_lost(self, error: BaseException) -> bool:
        """Return whether the connection is of no more use."""
        ...

    def translate(self, error: BaseException) -> BackendError:
        """Return what a driver's error means to a user and what to do; never with a password."""
        ...

    def migrating(self, cursor: Cursor) -> AbstractContextManager[None]:
        """Keep everybody else from changing the tables; what was changed stands at the end."""
        ...

    def tables(self, cursor: Cursor) -> set[str]:
        """Return the names of the tables of this store's prefix."""
        ...

    def source(self, reader: Reader) -> Source:
        """Return a source of news, with a connection of its own, opened when it watches."""
        ...
