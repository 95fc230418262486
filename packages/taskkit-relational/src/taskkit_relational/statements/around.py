"""What is around the queue: workers, schedules, controls, looks, the house."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from taskkit_relational.statements.values import Cursor, Key, Search, Values


class Leasing(Protocol):
    """Workers and what they run."""

    def enter(
        self, cursor: Cursor, worker_id: str, info: str, now: int, expires: int, mark: int
    ) -> None:
        """Enter a worker, afresh if it was known."""
        ...

    def renew(self, cursor: Cursor, worker_id: str, now: int, expires: int, mark: int) -> Any:
        """Extend a lease that has not ended (expires > now) and set the mark; locks the worker.

        Never shortens a lease.

        Returns:
            The mark before, and ``stopped`` as it is stored; None, with nothing changed, if the
            worker is unknown or its lease is over.
        """
        ...

    def leave(self, cursor: Cursor, worker_id: str) -> bool:
        """Remove a worker; return whether it was known, and was not removed by somebody else."""
        ...

    def workers(self, cursor: Cursor) -> list[Values]:
        """Return id, info, registered, expires and the number of running tasks of each worker.

        Ordered by expires, then id.
        """
        ...

    def stopped(self, cursor: Cursor) -> list[tuple[str, str]]:
        """Return id and ``stopped`` of all workers, locked in the order of ids."""
        ...

    def stop(self, cursor: Cursor, worker_id: str, stopped: str) -> None:
        """Store which groups a worker is to stop serving."""
        ...

    def leases(self, cursor: Cursor) -> list[tuple[str, int]]:
        """Return id and expires of all workers, by expires, then id; locks nothing."""
        ...

    def next_running_worker(self, cursor: Cursor, after: str) -> str | None:
        """Return the first worker id behind ``after`` that a running task names: one seek."""
        ...

    def running(self, cursor: Cursor, worker_id: str) -> list[tuple[str, int, int]]:
        """Return id, token and whether to be cancelled of what a worker runs; locks nothing."""
        ...

    def report(self, cursor: Cursor, worker_id: str, progress: Mapping[str, bytes]) -> None:
        """Store progress of tasks (by id) that this worker runs; others are left alone."""
        ...


class Scheduling(Protocol):
    """The state of schedulers."""

    def schedule(self, cursor: Cursor, name: str) -> tuple[int, bytes] | None:
        """Return version and state."""
        ...

    def advance(self, cursor: Cursor, name: str, version: int, state: bytes) -> bool:
        """Store a state with version + 1 if the version is still this (0: none is stored)."""
        ...


class Steering(Protocol):
    """Pauses and limits; ``schema.LIMITED`` are the columns of a limit."""

    def pauses(self, cursor: Cursor) -> list[tuple[str, int | None]]: ...
    def limits(self, cursor: Cursor) -> list[Values]: ...
    def pause(self, cursor: Cursor, group: str, until: int | None) -> None:
        """Store a pause, in place of an earlier one."""
        ...

    def resume(self, cursor: Cursor, group: str | None) -> None:
        """Remove the pause of a group (None: every pause)."""
        ...

    def limit(self, cursor: Cursor, row: Values) -> None:
        """Store the limits of a group, in place of earlier ones."""
        ...

    def unlimit(self, cursor: Cursor, group: str) -> None:
        """Remove the limits of a group."""
        ...

    def forget_rate(self, cursor: Cursor, group: str) -> None:
        """Remove what ``rate_log`` knows of a group."""
        ...

    def steer(self, cursor: Cursor) -> None:
        """Let the count of changes to pauses and limits grow: everybody reads them again."""
        ...

    def steered(self, cursor: Cursor) -> int:
        """Return that count."""
        ...


class Looking(Protocol):
    """What became of tasks, how many there are, and where they are."""

    def records(self, cursor: Cursor, ids: Sequence[str]) -> list[Values]:
        """Return whole rows (``schema.RECORDED``) of ids."""
        ...

    def find(self, cursor: Cursor, search: Search, limit: int) -> list[Values]:
        """Return whole rows (``schema.RECORDED``) that match, ordered by id."""
        ...

    def unfinished(self, cursor: Cursor, ids: Sequence[str]) -> set[str]:
        """Return which of the ids are known and not finished."""
        ...

    def counts(self, cursor: Cursor, groups: Sequence[str] | None, now: int) -> list[Values]:
        """Return group, number of the state, whether due > now, how many, the smallest due.

        A row for each group, state and lateness that has any. Only unclaimed tasks can be late.
        """
        ...

    def next_finished(self, cursor: Cursor, group: str, number: int) -> tuple[str, int] | None:
        """Return the first group and state behind this pair that has finished tasks: one seek."""
        ...

    def purgeable(
        self,
        cursor: Cursor,
        group: str,
        number: int,
        limit: int,
        purge_at: int | None,
        done: int | None,
    ) -> list[tuple[Key, str]]:
        """Return key and id of finished tasks of a group and state, locked. Skips locked.

        Only those with ``purge_at`` <= the one given, and ``done`` <= the one given, if given.
        """
        ...


class Housekeeping(Protocol):
    """The house around the tasks."""

    def now(self, cursor: Cursor) -> int:
        """Return the database's own time, in microseconds since the epoch."""
        ...

    def clear(self, cursor: Cursor) -> None:
        """Remove everything that users have put in; tokens go on."""
        ...
