"""What a database server must supply beside its statements: connections, transactions, errors.

A new server is one module with a class like ``postgres.Postgres``, its statements and its tables.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import sqlalchemy as sa

from taskkit.errors import BackendError
from taskkit_relational.statements import Cursor, News, RemoteStatements
from taskkit_relational.wakeup import Room, Source


@dataclass(frozen=True, slots=True)
class Begun:
    """What a transaction knows from its first round trip."""

    now: int
    """The server's own time in microseconds."""
    steered: int
    """The count of changes to pauses and limits."""


class Server(Protocol):
    """All that is particular to one kind of server."""

    name: str
    """Of the folder of its tables, and in messages."""
    errors: tuple[type[Exception], ...]
    """What the driver and SQLAlchemy raise."""
    wakeup: Literal["push", "poll"]
    """How its source learns of what others have done."""
    leaves_dead_rows: bool
    """Whether old versions of rows have to be swept away: see ``tidy``."""
    within: str
    """What ``joining`` takes, in words."""

    @property
    def statements(self) -> RemoteStatements:
        """What it says."""
        ...

    def source(self) -> Source:
        """Return a source of news, with a connection of its own, opened when it watches."""
        ...

    def engine(self) -> sa.Engine:
        """Return a new engine: driver connections in autocommit, at READ COMMITTED, bounded waits.

        Bounded: connecting, a statement, a wait for a lock, an answer that does not come.
        """
        ...

    def direct(self, connection: Any) -> Cursor:
        """Return a cursor for what is said again and again; it stays with a driver's connection."""
        ...

    def is_alive(self, connection: Any) -> bool:
        """Return, without a round trip, whether the server has left a connection open."""
        ...

    def is_in_transaction(self, connection: Any) -> bool:
        """Return, without a round trip, whether a connection has a transaction open."""
        ...

    def begin(self, cursor: Cursor) -> Begun:
        """Begin a transaction, in one round trip."""
        ...

    def begin_snapshot(self, cursor: Cursor) -> None:
        """Begin a transaction in which every statement reads the same state, and nothing writes."""
        ...

    def commit(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:
        """Commit, in one round trip.

        Tells other processes, where the server can push and somebody waits: ``wakes``, something
        may have become claimable; ``finished``, tasks are over.
        """
        ...

    def tell(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:
        """As ``commit`` tells, in the transaction of a caller, who may commit it much later."""
        ...

    def news(self, *, wakes: bool, finished: bool) -> News | None:
        """Return what a statement tells that commits by itself, of at most one of two things.

        None: nothing, or other processes cannot be told.
        """
        ...

    def is_conflict(self, error: Exception) -> bool:
        """Return whether another transaction was in the way, so that it is worth beginning anew.

        A deadlock, a serialisation failure, a unique key that was taken meanwhile, a lock that was
        not to be had in time.
        """
        ...

    def is_lost(self, error: Exception) -> bool:
        """Return whether the connection is of no more use.

        Also where it works but leads to a server that only reads (it was demoted in a fail-over).
        """
        ...

    def translate(self, error: Exception) -> BackendError:
        """Return what a driver's error means to a user and what to do; never with a password."""
        ...

    def joining(self, within: object) -> AbstractContextManager[Cursor]:
        """Give a cursor in a caller's open transaction on this very database.

        Takes a SQLAlchemy Connection, Session or scoped_session, their async counterparts, and a
        plain connection of the driver. Begins the transaction where the caller has not, in the way
        in which the caller's next statement would have.

        Raises:
            Unsupported: it is something else, on another database, or in autocommit.
        """
        ...

    def migrating(self, cursor: Cursor) -> AbstractContextManager[None]:
        """Keep everybody else from changing the tables; what was changed stands at the end.

        Where the server can undo changes of tables, an error undoes all of them.
        """
        ...

    def tidy(self, cursor: Cursor) -> bool:
        """Sweep old versions of rows away, if there are so many that they slow claims down.

        Outside a transaction. One small look where nothing is to be done. Returns whether it swept.
        """
        ...

    def tables(self, cursor: Cursor) -> set[str]:
        """Return the names of the tables of this store's prefix (and schema)."""
        ...


__all__ = ["Begun", "Room", "Server", "Source"]
