"""From a put to a settlement."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from taskkit_relational.statements.values import Cursor, Key, Values


class Putting(Protocol):
    """From nothing to waiting or ready."""

    def insert(self, cursor: Cursor, rows: Sequence[Values]) -> set[str] | None:
        """Insert rows (``schema.INSERTED``), one after the other, with token 0 and all counts 0.

        A row whose id is known, or whose unique slot is taken, changes nothing. Where another
        transaction is about to take the id or the slot, waits for its end.

        Returns:
            None if all went in, else the ids of those that did. (An id that comes twice went in if
            its first row did.)
        """
        ...

    def known(self, cursor: Cursor, ids: Sequence[str]) -> set[str]:
        """Return which of the ids are known, in whatever state."""
        ...

    def holders(self, cursor: Cursor, slots: Sequence[tuple[str, str]]) -> dict[Any, str]:
        """Return who holds each unique slot (group, key) that is held: (group, key) → id."""
        ...

    def unclaimed(self, cursor: Cursor, group: str, most: int) -> int:
        """Count the unclaimed tasks (waiting, ready, parked) of a group, no further than most."""
        ...


class Claiming(Protocol):
    """From waiting to ready, between ready and parked, from ready to running."""

    def lease(self, cursor: Cursor, worker_id: str) -> int | None:
        """Return when a worker's lease ends, None if it is unknown; locks it against change.

        Several may hold this lock at once (``FOR SHARE``); ``renew``, ``enter`` and ``leave`` of
        the same worker wait for them.
        """
        ...

    def glance(
        self, cursor: Cursor, worker_id: str, now: int
    ) -> tuple[int | None, int | None, int | None]:
        """Return what ``lease`` does, and locks; 1 if ``has_expired``; the smallest waiting due.

        That is what every claim has to know, in one round trip.
        """
        ...

    def token(self, cursor: Cursor) -> int:
        """Return a number greater than all that were returned before, here and elsewhere.

        It stays used when the transaction is rolled back; it survives a restart of the database.
        """
        ...

    def gates(self, cursor: Cursor, names: Collection[str], *, wait: bool) -> set[str]:
        """Close gates until the end of the transaction; return those that this one holds now.

        Two transactions never hold the same gate. (Names may share a gate: it is wide enough to
        let many pass at once, not one for each.) Without ``wait`` a gate that is closed already is
        left out of the answer; with it, waits in an order that is the same for everybody.
        """
        ...

    def promote(self, cursor: Cursor, now: int, limit: int) -> int:
        """Make up to ``limit`` waiting tasks with due <= now ready, the longest due first.

        Skips locked. Returns how many.
        """
        ...

    def promote_group(self, cursor: Cursor, group: str, now: int, limit: int) -> int:
        """As ``promote``, for one concrete group."""
        ...

    def soonest(self, cursor: Cursor, limit: int) -> list[tuple[int, str]]:
        """Return due and group of the first waiting tasks, by due."""
        ...

    def next_ready_group(self, cursor: Cursor, low: str, high: str) -> str | None:
        """Return the first group with a ready task from ``low``, included, to ``high``, excluded.

        One seek in an index, however many tasks the groups hold.
        """
        ...

    def ready_groups(
        self, cursor: Cursor, first: tuple[str, str], second: tuple[str, str]
    ) -> tuple[str | None, str | None]:
        """As ``next_ready_group``, for two ranges in one round trip."""
        ...

    def waiting_of(
        self, cursor: Cursor, group: str, low: str, high: str
    ) -> tuple[int | None, str | None]:
        """Return the smallest due of a concrete group's waiting tasks, and the first group.

        The first group with a waiting task from ``low``, included, to ``high``, excluded.
        """
        ...

    def first_ready(self, cursor: Cursor, group: str) -> int | None:
        """Return the smallest due of a concrete group's ready tasks."""
        ...

    def has_expired(self, cursor: Cursor, now: int) -> bool:
        """Return whether an unclaimed task has expires <= now."""
        ...

    def ready(self, cursor: Cursor, group: str, now: int, limit: int) -> list[Values]:
        """Return the first ready tasks (``schema.CLAIMED``) with due <= now in claim order, locked.

        Claim order: priority (high first), due, id. Skips locked.
        """
        ...

    def take(
        self, cursor: Cursor, keys: Sequence[Key], worker_id: str, token: int, now: int
    ) -> None:
        """Ready → running, with this token and worker, begun now; the attempt grows by one."""
        ...

    def free_slots(self, cursor: Cursor, keys: Sequence[Key]) -> None:
        """Free the unique slots of tasks."""
        ...

    def running_of_group(self, cursor: Cursor, group: str) -> int:
        """Count the running tasks of a concrete group."""
        ...

    def running_of_lock(self, cursor: Cursor, group: str, key: str) -> int:
        """Count the running tasks with a lock key."""
        ...

    def park(self, cursor: Cursor, group: str, key: str, running: int, limit: int) -> int:
        """Lay up to ``limit`` ready tasks of a lock key aside, whose lock limit <= running.

        Skips locked. Returns how many.
        """
        ...

    def unpark(self, cursor: Cursor, group: str, key: str, running: int) -> int:
        """Make parked tasks of a lock key ready, in claim order, as many as there is room for.

        Room is what the lock limit of the first with lock limit > running leaves. Skips locked.
        Returns how many.
        """
        ...

    def rate_log(self, cursor: Cursor, group: str, since: int, now: int) -> list[tuple[int, int]]:
        """Return when how many claims of a group were made after ``since``, oldest first.

        Forgets older ones. Those that lie after now (the clock was set back) count as now.
        """
        ...

    def log_rate(self, cursor: Cursor, group: str, at: int, claims: int) -> None:
        """Note claims of a group for ``rate_log``."""
        ...

    def last_served(self, cursor: Cursor, want: str) -> str:
        """Return the subgroup of a want that was served last; empty before the first."""
        ...

    def remember_served(self, cursor: Cursor, want: str, group: str) -> None:
        """Note which subgroup of a want was served last."""
        ...


class Settling(Protocol):
    """From running to whatever follows; and the one statement behind every rarer transition."""

    def succeed(self, cursor: Cursor, now: int, rows: Sequence[tuple[str, int, bytes]]) -> int:
        """Running → succeeded for (id, token, result), done now; return how many.

        Only where nothing else has to be looked at: the token is the current one, no cancellation
        was asked for, and the task has neither a lock key nor a unique slot. No id comes twice.
        """
        ...

    def load(self, cursor: Cursor, ids: Sequence[str]) -> list[Values]:
        """Return rows (``schema.LOADED``) of ids, locked in the order of ids."""
        ...

    def load_running(self, cursor: Cursor, worker_id: str, limit: int) -> list[Values]:
        """Return rows (``schema.LOADED``) that a worker runs, locked."""
        ...

    def load_expired(self, cursor: Cursor, now: int, limit: int) -> list[Values]:
        """Return unclaimed rows (``schema.LOADED``) with expires <= now, locked. Skips locked."""
        ...

    def save(self, cursor: Cursor, rows: Sequence[Values]) -> None:
        """Write rows back: ``schema.SAVED``, then the key."""
        ...

    def remove(self, cursor: Cursor, keys: Sequence[Key]) -> None:
        """Any state → nothing."""
        ...

    def note_discard(self, cursor: Cursor, task_id: str, token: int, at: int) -> None:
        """Remember a discard."""
        ...

    def was_discarded(self, cursor: Cursor, task_id: str, token: int) -> bool:
        """Return whether this claim ended by a discard that is remembered."""
        ...

    def forget_discards(self, cursor: Cursor, before: int) -> None:
        """Forget discards up to an instant, included."""
        ...
