"""Connections at hand: kept between two uses without going through SQLAlchemy's pool.

That pool makes them, counts them and lets threads wait for one. But to check a connection out and
in takes as long as a small statement; so they stay checked out while nobody waits for one.
"""

from __future__ import annotations

import threading
from typing import Any, Final

import sqlalchemy as sa

from taskkit_relational.statements import Cursor
from taskkit_sql.server import Server

_DIRECT: Final = "taskkit"


class Loan:
    """A connection that one thread uses.

    Args:
        pool: SQLAlchemy's, …
        checked_out: … as that has given it.
        direct: A cursor that stays with the connection.
    """

    __slots__ = ("checked_out", "connection", "direct", "pool")

    def __init__(
        self, pool: sa.Pool, checked_out: sa.PoolProxiedConnection, direct: Cursor
    ) -> None:
        self.pool = pool
        self.checked_out = checked_out
        self.connection: Any = checked_out.driver_connection
        self.direct = direct

    def invalidate(self, error: BaseException | None = None) -> None:
        """Close the connection: it is of no more use."""
        self.checked_out.invalidate(error)


class Lending:
    """The connections of one engine; the one that was used last is lent first.

    Args:
        server: Whose they are.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._engine = server.engine()
        self._lock = threading.Lock()
        self._idle: list[Loan] = []
        self._waiting = 0
        """Threads that are about to ask the pool: what comes back goes there while there are any,
        or they would wait for a connection that lies here."""

    def take(self) -> Loan:
        """Return a connection; for a while nobody else has it.

        Raises:
            sqlalchemy.exc.TimeoutError: all were in use for too long.
        """
        while (loan := self._at_hand()) is not None:
            if self._server.is_alive(loan.connection):
                return loan
            loan.invalidate()
        pool = self._engine.pool
        try:
            checked_out = self._engine.raw_connection()
        finally:
            with self._lock:
                self._waiting -= 1
        direct = checked_out.info.get(_DIRECT)
        if direct is None:
            direct = checked_out.info[_DIRECT] = self._server.direct(checked_out.driver_connection)
        return Loan(pool, checked_out, direct)

    def _at_hand(self) -> Loan | None:
        """Return a connection that is not in use; if there is none, this thread counts as waiting.

        In one step, or one could be given back in between and lie here unseen.
        """
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self._waiting += 1
            return None

    def give_back(self, loan: Loan) -> None:
        """Take a connection back. What was left open on it is rolled back."""
        is_open = loan.checked_out.is_valid
        is_well = is_open and not self._server.is_in_transaction(loan.connection)
        with self._lock:
            # Not if the others have been thrown away since: another pool counts those of now.
            is_ours = loan.pool is self._engine.pool
            if is_well and is_ours and not self._waiting:
                self._idle.append(loan)
                return
        if is_open and not is_ours:
            loan.invalidate()
        else:
            loan.checked_out.close()

    def distrust(self) -> None:
        """Close all that are not in use: what broke one has likely broken them too."""
        with self._lock:
            idle, self._idle = self._idle, []
            self._engine.dispose()  # from now on it has another pool
        for loan in idle:
            loan.invalidate()

    def close(self) -> None:
        """Close all connections; those in use when they are given back."""
        self.distrust()

    def forget(self) -> None:
        """Let go of connections that belong to the process from which this one was forked.

        They are not closed, which would end them for that one too.
        """
        self._engine.dispose(close=False)


__all__ = ["Lending", "Loan"]
