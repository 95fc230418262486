"""What MySQL and MariaDB say: lists of parameters, locks that claims step around."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, cast

from taskkit_relational import gates
from taskkit_relational.dialects.mysql import rarer
from taskkit_relational.dialects.mysql import texts as sql
from taskkit_relational.dialects.mysql.claiming import Candidates
from taskkit_relational.dialects.mysql.inserting import insert
from taskkit_relational.dialects.mysql.looking import counts, find, next_finished
from taskkit_relational.dialects.mysql.named import Named
from taskkit_relational.dialects.mysql.saving import report, save, succeed
from taskkit_relational.dialects.mysql.shortcuts import Shortcuts
from taskkit_relational.dialects.mysql.slots import Slots
from taskkit_relational.schema import CONTENTS
from taskkit_relational.statements import Cursor, Search, Values

_ENDLESS: Final = 1 << 62
"""Later than every instant."""

_BEFORE_ALL: Final = -128
"""Before the rank of every priority."""

_KEPT: Final = 10_000
"""Tokens whose rows may stay, so that none is removed that is being given out."""
_TIDY_EVERY: Final = 1_000


class MysqlStatements:
    """Every statement, with the store's prefix in its table names. One class for both servers."""

    def __init__(self, prefix: str) -> None:
        """Name a store.

        Args:
            prefix: Before the names of all tables, in the database of the connection.
        """
        self.prefix = prefix
        self._named = Named(prefix)
        self._slots = Slots(self._named)
        self._candidates = Candidates(self._named)
        self.shortcuts = Shortcuts(self._named)

    # ---- putting

    def insert(self, cursor: Cursor, rows: Sequence[Values]) -> set[str] | None:
        return insert(self._named, self._slots, cursor, rows)

    def known(self, cursor: Cursor, ids: Sequence[str]) -> set[str]:
        found = {row[0] for row in self._named.listed_rows(cursor, sql.KNOWN, ids)}
        hidden = [task_id for task_id in ids if task_id not in found]
        return found | {row[0] for row in self._named.listed_rows(cursor, sql.KNOWN_NOW, hidden)}

    def holders(self, cursor: Cursor, slots: Sequence[tuple[str, str]]) -> dict[Any, str]:
        return dict(self._slots.holders(cursor, slots))

    def unclaimed(self, cursor: Cursor, group: str, most: int) -> int:
        return cast("int", self._named.one(cursor, sql.UNCLAIMED, group, most))

    # ---- claiming

    def lease(self, cursor: Cursor, worker_id: str) -> int | None:
        return cast("int | None", self._named.one(cursor, sql.LEASE, worker_id))

    def glance(
        self, cursor: Cursor, worker_id: str, now: int
    ) -> tuple[int | None, int | None, int | None]:
        [found] = self._named.rows(cursor, sql.GLANCE, worker_id, now)
        return cast("tuple[int | None, int | None, int | None]", found)

    def token(self, cursor: Cursor) -> int:
        self._named.change(cursor, sql.DRAW)
        # Not all of PEP 249 has it; all drivers for MySQL do.
        drawn = int(cast("Any", cursor).lastrowid)
        if drawn % _TIDY_EVERY == 0:
            spent = self._named.rows(cursor, sql.SPENT, drawn - _KEPT, 2 * _TIDY_EVERY)
            self._named.listed_change(cursor, sql.FORGET_TOKENS, [row[0] for row in spent])
        return drawn

    def gates(self, cursor: Cursor, names: Collection[str], *, wait: bool) -> set[str]:
        text = sql.CLOSE if wait else sql.CLOSE_OPEN
        rows = self._named.listed_rows(cursor, text, gates.gate_numbers(names))
        held = {row[0] for row in rows}
        return {name for name in names if gates.gate_number(name) in held}

    def promote(self, cursor: Cursor, now: int, limit: int) -> int:
        return self._move(cursor, sql.MAKE_READY, sql.LATE, now, limit)

    def promote_group(self, cursor: Cursor, group: str, now: int, limit: int) -> int:
        return self._move(cursor, sql.MAKE_READY, sql.LATE_OF_GROUP, group, now, limit)

    def soonest(self, cursor: Cursor, limit: int) -> list[tuple[int, str]]:
        return self._named.rows(cursor, sql.SOONEST, limit)

    def next_ready_group(self, cursor: Cursor, low: str, high: str) -> str | None:
        return cast("str | None", self._named.one(cursor, sql.NEXT_READY_GROUP, low, high))

    def ready_groups(
        self, cursor: Cursor, first: tuple[str, str], second: tuple[str, str]
    ) -> tuple[str | None, str | None]:
        [found] = self._named.rows(cursor, sql.READY_GROUPS, *first, *second)
        return cast("tuple[str | None, str | None]", found)

    def waiting_of(
        self, cursor: Cursor, group: str, low: str, high: str
    ) -> tuple[int | None, str | None]:
        [found] = self._named.rows(cursor, sql.WAITING_OF, group, low, high)
        return cast("tuple[int | None, str | None]", found)

    def first_ready(self, cursor: Cursor, group: str) -> int | None:
        dues: list[int] = []
        rank = _BEFORE_ALL
        while found := self._named.rows(cursor, sql.NEXT_RANK, group, rank):
            rank, due = found[0]
            dues.append(due)
        return min(dues, default=None)

    def has_expired(self, cursor: Cursor, now: int) -> bool:
        return self._named.one(cursor, sql.HAS_EXPIRED, now) is not None

    def ready(self, cursor: Cursor, group: str, now: int, limit: int) -> list[Values]:
        return self._candidates.first(cursor, group, now, limit)

    def take(
        self, cursor: Cursor, keys: Sequence[str], worker_id: str, token: int, now: int
    ) -> None:
        self._named.listed_change(cursor, sql.TAKE, keys, token, worker_id, now)

    def free_slots(self, cursor: Cursor, keys: Sequence[str]) -> None:
        self._named.listed_change(cursor, sql.FREE_SLOTS, keys)

    def running_of_group(self, cursor: Cursor, group: str) -> int:
        return cast("int", self._named.one(cursor, sql.RUNNING_OF_GROUP, group))

    def running_of_lock(self, cursor: Cursor, group: str, key: str) -> int:
        return cast("int", self._named.one(cursor, sql.RUNNING_OF_LOCK, group, key))

    def park(self, cursor: Cursor, group: str, key: str, running: int, limit: int) -> int:
        return self._move(cursor, sql.PARK, sql.HELD_BACK, group, key, running, limit)

    def unpark(self, cursor: Cursor, group: str, key: str, running: int) -> int:
        first = self._named.rows(cursor, sql.NEXT_PARKED, group, key, running, 1)
        if not first:
            return 0
        room = first[0][1] - running
        parked = self._named.rows(cursor, sql.NEXT_PARKED, group, key, running, room)
        ids = [row[0] for row in parked]
        free = [row[0] for row in self._named.listed_rows(cursor, sql.STILL_PARKED, ids)]
        return self._named.listed_change(cursor, sql.MAKE_READY, free)

    def rate_log(self, cursor: Cursor, group: str, since: int, now: int) -> list[tuple[int, int]]:
        rows = self._named.rows(cursor, sql.RATE_LOG, group)
        self._named.listed_change(
            cursor, sql.FORGET_CLAIMS, [n for n, at, _ in rows if at <= since]
        )
        # A clock that was set back must not close a group for longer than one period.
        self._named.listed_change(
            cursor, sql.SET_BACK_CLAIMS, [n for n, at, _ in rows if at > now], now
        )
        return [(min(at, now), claims) for _, at, claims in rows if at > since]

    def log_rate(self, cursor: Cursor, group: str, at: int, claims: int) -> None:
        self._named.change(cursor, sql.LOG_RATE, group, at, claims)

    def last_served(self, cursor: Cursor, want: str) -> str:
        return self._named.one(cursor, sql.LAST_SERVED, want) or ""

    def remember_served(self, cursor: Cursor, want: str, group: str) -> None:
        if self._named.one(cursor, sql.SERVED, want) is not None:
            self._named.change(cursor, sql.REMEMBER_SERVED, group, want)
        elif not self.last_served(cursor, want):
            self._named.change(cursor, sql.FIRST_SERVED, want, group)

    def _move(self, cursor: Cursor, change: str, look: str, *values: Any) -> int:
        """Change the tasks that a look finds and locks; return how many."""
        ids = [row[0] for row in self._named.rows(cursor, look, *values)]
        return self._named.listed_change(cursor, change, ids)

    # ---- settling, and the rarer transitions

    def succeed(self, cursor: Cursor, now: int, rows: Sequence[tuple[str, int, bytes]]) -> int:
        return succeed(self._named, cursor, now, rows)

    def load(self, cursor: Cursor, ids: Sequence[str]) -> list[Values]:
        return self._named.listed_rows(cursor, sql.LOAD, ids)

    def load_running(self, cursor: Cursor, worker_id: str, limit: int) -> list[Values]:
        ids = [row[0] for row in self._named.rows(cursor, sql.RUNNING_IDS, worker_id, limit)]
        return self._named.listed_rows(cursor, sql.LOAD_RUNNING, ids, worker_id)

    def load_expired(self, cursor: Cursor, now: int, limit: int) -> list[Values]:
        ids = [row[0] for row in self._named.rows(cursor, sql.EXPIRED_IDS, now, limit)]
        return self._named.listed_rows(cursor, sql.LOAD_EXPIRED, ids, now)

    def save(self, cursor: Cursor, rows: Sequence[Values]) -> None:
        save(self._named, self._slots, cursor, rows)

    def remove(self, cursor: Cursor, keys: Sequence[str]) -> None:
        self._slots.forget(cursor, keys)
        self._named.listed_change(cursor, sql.REMOVE, keys)

    def note_discard(self, cursor: Cursor, task_id: str, token: int, at: int) -> None:
        self._named.change(cursor, sql.NOTE_DISCARD, task_id, token, at)

    def was_discarded(self, cursor: Cursor, task_id: str, token: int) -> bool:
        return self._named.one(cursor, sql.WAS_DISCARDED, task_id, token) is not None

    def forget_discards(self, cursor: Cursor, before: int) -> None:
        self._named.change(cursor, sql.FORGET_DISCARDS, before)

    # ---- workers

    def enter(
        self, cursor: Cursor, worker_id: str, info: str, now: int, expires: int, mark: int
    ) -> None:
        told = (info, now, expires, mark)
        self._named.change(cursor, rarer.ENTER, worker_id, *told, *told)

    def renew(self, cursor: Cursor, worker_id: str, now: int, expires: int, mark: int) -> Any:
        living = self._named.rows(cursor, rarer.LIVING, worker_id, now)
        if not living:
            return None
        self._named.change(cursor, rarer.RENEW, expires, mark, worker_id)
        return living[0]

    def leave(self, cursor: Cursor, worker_id: str) -> bool:
        return self._named.change(cursor, rarer.LEAVE, worker_id) == 1

    def workers(self, cursor: Cursor) -> list[Values]:
        return self._named.rows(cursor, rarer.WORKERS)

    def stopped(self, cursor: Cursor) -> list[tuple[str, str]]:
        return self._named.rows(cursor, rarer.STOPPED)

    def stop(self, cursor: Cursor, worker_id: str, stopped: str) -> None:
        self._named.change(cursor, rarer.STOP, stopped, worker_id)

    def leases(self, cursor: Cursor) -> list[tuple[str, int]]:
        return self._named.rows(cursor, rarer.LEASES)

    def next_running_worker(self, cursor: Cursor, after: str) -> str | None:
        return cast("str | None", self._named.one(cursor, rarer.NEXT_RUNNING_WORKER, after))

    def running(self, cursor: Cursor, worker_id: str) -> list[tuple[str, int, int]]:
        return self._named.rows(cursor, rarer.RUNNING, worker_id)

    def report(self, cursor: Cursor, worker_id: str, progress: Mapping[str, bytes]) -> None:
        report(self._named, cursor, worker_id, progress)

    # ---- schedules

    def schedule(self, cursor: Cursor, name: str) -> tuple[int, bytes] | None:
        rows = self._named.rows(cursor, rarer.SCHEDULE, name)
        return rows[0] if rows else None

    def advance(self, cursor: Cursor, name: str, version: int, state: bytes) -> bool:
        if version == 0:
            return self._named.change(cursor, rarer.FIRST_ADVANCE, state, name) == 1
        return self._named.change(cursor, rarer.ADVANCE, state, name, version) == 1

    # ---- pauses and limits

    def pauses(self, cursor: Cursor) -> list[tuple[str, int | None]]:
        return self._named.rows(cursor, rarer.PAUSES)

    def limits(self, cursor: Cursor) -> list[Values]:
        return self._named.rows(cursor, rarer.LIMITS)

    def pause(self, cursor: Cursor, group: str, until: int | None) -> None:
        self._named.change(cursor, rarer.PAUSE, group, until, until)

    def resume(self, cursor: Cursor, group: str | None) -> None:
        if group is None:
            self._named.change(cursor, rarer.RESUME_ALL)
        else:
            self._named.change(cursor, rarer.RESUME, group)

    def limit(self, cursor: Cursor, row: Values) -> None:
        self._named.change(cursor, rarer.LIMIT, *row, *row[1:])

    def unlimit(self, cursor: Cursor, group: str) -> None:
        self._named.change(cursor, rarer.UNLIMIT, group)

    def forget_rate(self, cursor: Cursor, group: str) -> None:
        self._named.change(cursor, rarer.FORGET_RATE, group)

    def steer(self, cursor: Cursor) -> None:
        self._named.change(cursor, rarer.STEER)

    def steered(self, cursor: Cursor) -> int:
        return cast("int", self._named.one(cursor, rarer.STEERED))

    # ---- looking

    def records(self, cursor: Cursor, ids: Sequence[str]) -> list[Values]:
        return self._named.listed_rows(cursor, rarer.RECORDS, ids)

    def find(self, cursor: Cursor, search: Search, limit: int) -> list[Values]:
        return find(self._named, cursor, search, limit)

    def unfinished(self, cursor: Cursor, ids: Sequence[str]) -> set[str]:
        return {row[0] for row in self._named.listed_rows(cursor, rarer.UNFINISHED, ids)}

    def counts(self, cursor: Cursor, groups: Sequence[str] | None, now: int) -> list[Values]:
        return counts(self._named, cursor, groups, now)

    def next_finished(self, cursor: Cursor, group: str, number: int) -> tuple[str, int] | None:
        return next_finished(self._named, cursor, group, number)

    def purgeable(
        self,
        cursor: Cursor,
        group: str,
        number: int,
        limit: int,
        purge_at: int | None,
        done: int | None,
    ) -> list[tuple[str, str]]:
        latest = [_ENDLESS if instant is None else instant for instant in (purge_at, done)]
        return self._named.rows(cursor, rarer.PURGEABLE, number, group, *latest, limit)

    # ---- the house

    def now(self, cursor: Cursor) -> int:
        return cast("int", self._named.one(cursor, rarer.NOW))

    @property
    def begin(self) -> str:
        """The statement for the database's own time and the count of changes to limits."""
        return self._named.text(rarer.BEGUN)

    def sign(self, cursor: Cursor) -> tuple[Any, ...]:
        """Return values that change when something may have become claimable.

        The second is how many groups have ready tasks, the last how many tasks are due beside.
        """
        # One text: what describes a column the driver reads in Python, for each of them anew.
        told = self._named.one(cursor, rarer.SIGN)
        return tuple(int(number) for number in told.split())

    def clear(self, cursor: Cursor) -> None:
        while self._named.change(cursor, rarer.CLEAR):
            pass
        for table in (*CONTENTS, "slot"):
            self._named.change(cursor, f"DELETE FROM @{table}")  # noqa: S608 - own names
