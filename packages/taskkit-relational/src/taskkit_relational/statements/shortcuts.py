"""Shortcuts: whole transactions by one statement, where each statement is a round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from taskkit_relational.statements.values import Caught, Cursor, News, Shaped, Values


class SucceedAlone(Protocol):
    """Running → succeeded for (id, token, result); return how many."""

    def __call__(
        self,
        cursor: Cursor,
        rows: Sequence[tuple[str, int, bytes]],
        now: int | None,
        steered: int,
        news: News | None,
        /,
    ) -> int:
        """Settle; nothing if the count of changes to pauses and limits is not ``steered``."""
        ...


class Shortcuts(Protocol):
    """What pays where each statement is a round trip: each does in one what else takes a few."""

    def insert_alone(self, cursor: Cursor, row: Shaped, steered: int, news: News | None) -> bool:
        """Insert one row without a unique slot, and tell the news.

        Args:
            cursor: In a transaction, or in autocommit.
            row: What is NULL or has its column's default may be missing.
            steered: What the count of changes to pauses and limits must be.
            news: For whoever waits; None: nobody can be told.

        Returns:
            Whether it went in; if not, its id is known, or the count differs.
        """
        ...

    def claim_alone(
        self,
        cursor: Cursor,
        worker_id: str,
        place: tuple[str, str, str],
        most: int,
        now: int | None,
        steered: int,
    ) -> Caught | None:
        """Ready → running for up to ``most`` tasks in claim order, if nothing else is to be done.

        That is: the worker's lease has not ended, no task has expired or waits to be promoted, the
        first ready tasks have no keys, and no subgroup has unclaimed tasks. Skips locked.

        Args:
            cursor: In a transaction, or in autocommit.
            worker_id: Who claims; its lease is locked against change.
            place: A concrete group, and from which name, included, to which, excluded, the names of
                its subgroups go.
            most: From 1.
            now: Of the store; None: the database's own.
            steered: What the count of changes to pauses and limits must be.

        Returns:
            None, with nothing done, if anything is not so.
        """
        ...

    @property
    def succeed_alone(self) -> SucceedAlone | None:
        """As ``Settling.succeed``, and tell the news; None where that is not one statement."""
        ...

    def pulse(self, cursor: Cursor, worker_id: str, now: int | None) -> Values | None:
        """Return what an idle worker has to know; None if it is not known itself. Locks nothing.

        Returns:
            The store's now, the count of changes to pauses and limits, when the lease ends,
            ``stopped`` as it is stored, and whether any task runs on this worker.
        """
        ...

    def extend(self, cursor: Cursor, worker_id: str, now: int, expires: int) -> bool:
        """Extend a lease that has not ended (expires > now), never shorten it.

        Returns:
            Whether that was so, and the lease is longer now.
        """
        ...

    def has_dead(self, cursor: Cursor, now: int | None) -> bool:
        """Return whether a lease has ended, or a task runs on a worker that is unknown.

        May be wrong where there are very many workers: then it says that there is one.
        """
        ...
