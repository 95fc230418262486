"""What PostgreSQL says: everything by lists, locks that claims step around."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar, cast

from taskkit_relational import gates
from taskkit_relational.dialects.postgres import rarer
from taskkit_relational.dialects.postgres import texts as sql
from taskkit_relational.dialects.postgres.finding import find
from taskkit_relational.dialects.postgres.shortcuts import Shortcuts
from taskkit_relational.schema import CONTENTS, INSERTED
from taskkit_relational.statements import Cursor, Search, Values

_ENDLESS: Final = 1 << 62
"""Later than every instant."""

_CLEARED: Final = 20_000
"""Tasks that one statement of ``clear`` removes: a fraction of a second."""

_PORTION: Final = 500
"""Rows that one statement changes by a list. With the worst plan each is compared with all of the
list: no matter for so few, half a minute for the ten thousand of the largest batch."""

_ID: Final = INSERTED.index("id")
_GROUP: Final = INSERTED.index("grp")
_SLOT: Final = INSERTED.index("unique_slot")

T = TypeVar("T")


class PostgresStatements:
    """Every statement, with the store's schema and prefix in its table names."""

    def __init__(self, prefix: str, schema: str | None = None) -> None:
        """Name a store.

        Args:
            prefix: Before the names of all tables, as it would be written in SQL; an identifier.
            schema: Where the tables are, an identifier too; None: where the connection's
                ``search_path`` leads.
        """
        self.prefix = prefix if schema is None else f"{schema}.{prefix}"
        """As SQL has it, before the name of a table."""
        self.named: Callable[[str], str] = cache(
            lambda text: " ".join(text.replace("@", self.prefix).split())
        )
        """Returns a text with the names of this store's tables."""
        self.shortcuts = Shortcuts(self.named)

    # ---- putting

    def insert(self, cursor: Cursor, rows: Sequence[Values]) -> set[str] | None:
        if len(rows) == 1:
            cursor.execute(self.named(sql.INSERT), rows[0])
            return None if cursor.rowcount == 1 else set()
        # What is the same in all rows is sent once: the driver writes an array value by value.
        columns = _columns(_in_order(rows))
        differing = tuple(
            name
            for name, column in zip(INSERTED, columns, strict=True)
            if name == "id" or len(set(column)) > 1
        )
        pairs = list(zip(INSERTED, columns, strict=True))
        same = [column[0] for name, column in pairs if name not in differing]
        arrays = [column for name, column in pairs if name in differing]
        cursor.execute(self.named(sql.insert_many(differing)), [*same, *arrays])
        if cursor.rowcount == len(rows):
            return None
        return {row[0] for row in cursor.fetchall()}

    def known(self, cursor: Cursor, ids: Sequence[str]) -> set[str]:
        return {row[0] for row in self._rows(cursor, sql.KNOWN, list(ids))}

    def holders(self, cursor: Cursor, slots: Sequence[tuple[str, str]]) -> dict[Any, str]:
        if not slots:
            return {}
        rows = self._rows(cursor, sql.HOLDERS, *_columns(slots))
        return {(group, slot): task_id for group, slot, task_id in rows}

    def unclaimed(self, cursor: Cursor, group: str, most: int) -> int:
        return cast("int", self._one(cursor, sql.UNCLAIMED, *[group, most] * 3, most))

    # ---- claiming

    def lease(self, cursor: Cursor, worker_id: str) -> int | None:
        return cast("int | None", self._one(cursor, sql.LEASE, worker_id))

    def glance(
        self, cursor: Cursor, worker_id: str, now: int
    ) -> tuple[int | None, int | None, int | None]:
        return tuple(self._rows(cursor, sql.GLANCE, worker_id, now)[0])

    def token(self, cursor: Cursor) -> int:
        return cast("int", self._one(cursor, sql.DRAW))

    def gates(self, cursor: Cursor, names: Collection[str], *, wait: bool) -> set[str]:
        text = sql.CLOSE if wait else sql.CLOSE_OPEN
        held = {row[0] for row in self._rows(cursor, text, gates.gate_numbers(names))}
        return {name for name in names if gates.gate_number(name) in held}

    def promote(self, cursor: Cursor, now: int, limit: int) -> int:
        return self._change(cursor, sql.PROMOTE, now, limit)

    def promote_group(self, cursor: Cursor, group: str, now: int, limit: int) -> int:
        return self._change(cursor, sql.PROMOTE_GROUP, group, now, limit)

    def soonest(self, cursor: Cursor, limit: int) -> list[tuple[int, str]]:
        return self._rows(cursor, sql.SOONEST, limit)

    def next_ready_group(self, cursor: Cursor, low: str, high: str) -> str | None:
        return cast("str | None", self._one(cursor, sql.NEXT_READY_GROUP, low, high))

    def ready_groups(
        self, cursor: Cursor, first: tuple[str, str], second: tuple[str, str]
    ) -> tuple[str | None, str | None]:
        return tuple(self._rows(cursor, sql.READY_GROUPS, *first, *second)[0])

    def waiting_of(
        self, cursor: Cursor, group: str, low: str, high: str
    ) -> tuple[int | None, str | None]:
        return tuple(self._rows(cursor, sql.WAITING_OF, group, low, high)[0])

    def first_ready(self, cursor: Cursor, group: str) -> int | None:
        return cast("int | None", self._one(cursor, sql.FIRST_READY, group, group))

    def has_expired(self, cursor: Cursor, now: int) -> bool:
        return self._one(cursor, sql.HAS_EXPIRED, now) is not None

    def ready(self, cursor: Cursor, group: str, now: int, limit: int) -> list[Values]:
        return self._rows(cursor, sql.READY, group, now, limit)

    def take(
        self, cursor: Cursor, keys: Sequence[str], worker_id: str, token: int, now: int
    ) -> None:
        self._change(cursor, sql.TAKE, token, worker_id, now, list(keys))

    def free_slots(self, cursor: Cursor, keys: Sequence[str]) -> None:
        self._change(cursor, sql.FREE_SLOTS, list(keys))

    def running_of_group(self, cursor: Cursor, group: str) -> int:
        return cast("int", self._one(cursor, sql.RUNNING_OF_GROUP, group))

    def running_of_lock(self, cursor: Cursor, group: str, key: str) -> int:
        return cast("int", self._one(cursor, sql.RUNNING_OF_LOCK, group, key))

    def park(self, cursor: Cursor, group: str, key: str, running: int, limit: int) -> int:
        return self._change(cursor, sql.PARK, group, key, running, limit)

    def unpark(self, cursor: Cursor, group: str, key: str, running: int) -> int:
        whose = (group, key, running)
        return self._change(cursor, sql.UNPARK, *whose, *whose, running)

    def rate_log(self, cursor: Cursor, group: str, since: int, now: int) -> list[tuple[int, int]]:
        return self._rows(cursor, sql.RATE_LOG, group, since, now, group, now, now, group, since)

    def log_rate(self, cursor: Cursor, group: str, at: int, claims: int) -> None:
        self._change(cursor, sql.LOG_RATE, group, at, claims)

    def last_served(self, cursor: Cursor, want: str) -> str:
        return self._one(cursor, sql.LAST_SERVED, want) or ""

    def remember_served(self, cursor: Cursor, want: str, group: str) -> None:
        if not self._change(cursor, sql.REMEMBER_SERVED, want, group):
            self._change(cursor, sql.FIRST_SERVED, want, group, want)

    # ---- settling, and the rarer transitions

    def succeed(self, cursor: Cursor, now: int, rows: Sequence[tuple[str, int, bytes]]) -> int:
        done = 0
        # By id, so that rows are locked in the order in which everybody locks them.
        for some in _portions(sorted(rows)):
            columns = _columns(some)
            done += self._change(cursor, sql.SUCCEED, now, now, *columns, columns[0])
        return done

    def load(self, cursor: Cursor, ids: Sequence[str]) -> list[Values]:
        return self._rows(cursor, sql.LOAD, list(ids))

    def load_running(self, cursor: Cursor, worker_id: str, limit: int) -> list[Values]:
        return self._rows(cursor, sql.LOAD_RUNNING, worker_id, limit)

    def load_expired(self, cursor: Cursor, now: int, limit: int) -> list[Values]:
        return self._rows(cursor, sql.LOAD_EXPIRED, now, limit)

    def save(self, cursor: Cursor, rows: Sequence[Values]) -> None:
        if len(rows) == 1:
            self._change(cursor, sql.SAVE, *rows[0])
            return
        for some in _portions(rows):
            columns = _columns(some)
            self._change(cursor, sql.SAVE_MANY, *columns, columns[-1])

    def remove(self, cursor: Cursor, keys: Sequence[str]) -> None:
        self._change(cursor, sql.REMOVE, list(keys))

    def note_discard(self, cursor: Cursor, task_id: str, token: int, at: int) -> None:
        self._change(cursor, sql.NOTE_DISCARD, task_id, token, at)

    def was_discarded(self, cursor: Cursor, task_id: str, token: int) -> bool:
        return self._one(cursor, sql.WAS_DISCARDED, task_id, token) is not None

    def forget_discards(self, cursor: Cursor, before: int) -> None:
        self._change(cursor, sql.FORGET_DISCARDS, before)

    # ---- workers

    def enter(
        self, cursor: Cursor, worker_id: str, info: str, now: int, expires: int, mark: int
    ) -> None:
        self._change(cursor, rarer.ENTER, worker_id, info, now, expires, mark)

    def renew(self, cursor: Cursor, worker_id: str, now: int, expires: int, mark: int) -> Any:
        cursor.execute(self.named(rarer.RENEW), (worker_id, now, expires, mark))
        return cursor.fetchone()

    def leave(self, cursor: Cursor, worker_id: str) -> bool:
        return self._change(cursor, rarer.LEAVE, worker_id) == 1

    def workers(self, cursor: Cursor) -> list[Values]:
        return self._rows(cursor, rarer.WORKERS)

    def stopped(self, cursor: Cursor) -> list[tuple[str, str]]:
        return self._rows(cursor, rarer.STOPPED)

    def stop(self, cursor: Cursor, worker_id: str, stopped: str) -> None:
        self._change(cursor, rarer.STOP, stopped, worker_id)

    def leases(self, cursor: Cursor) -> list[tuple[str, int]]:
        return self._rows(cursor, rarer.LEASES)

    def next_running_worker(self, cursor: Cursor, after: str) -> str | None:
        return cast("str | None", self._one(cursor, rarer.NEXT_RUNNING_WORKER, after))

    def running(self, cursor: Cursor, worker_id: str) -> list[tuple[str, int, int]]:
        return self._rows(cursor, rarer.RUNNING, worker_id)

    def report(self, cursor: Cursor, worker_id: str, progress: Mapping[str, bytes]) -> None:
        if progress:
            self._change(cursor, rarer.REPORT, *_columns(sorted(progress.items())), worker_id)

    # ---- schedules

    def schedule(self, cursor: Cursor, name: str) -> tuple[int, bytes] | None:
        cursor.execute(self.named(rarer.SCHEDULE), (name,))
        return cast("tuple[int, bytes] | None", cursor.fetchone())

    def advance(self, cursor: Cursor, name: str, version: int, state: bytes) -> bool:
        if version == 0:
            return self._change(cursor, rarer.FIRST_ADVANCE, state, name) == 1
        return self._change(cursor, rarer.ADVANCE, state, name, version) == 1

    # ---- pauses and limits

    def pauses(self, cursor: Cursor) -> list[tuple[str, int | None]]:
        return self._rows(cursor, rarer.PAUSES)

    def limits(self, cursor: Cursor) -> list[Values]:
        return self._rows(cursor, rarer.LIMITS)

    def pause(self, cursor: Cursor, group: str, until: int | None) -> None:
        self._change(cursor, rarer.PAUSE, group, until)

    def resume(self, cursor: Cursor, group: str | None) -> None:
        if group is None:
            self._change(cursor, rarer.RESUME_ALL)
        else:
            self._change(cursor, rarer.RESUME, group)

    def limit(self, cursor: Cursor, row: Values) -> None:
        self._change(cursor, rarer.LIMIT, *row)

    def unlimit(self, cursor: Cursor, group: str) -> None:
        self._change(cursor, rarer.UNLIMIT, group)

    def forget_rate(self, cursor: Cursor, group: str) -> None:
        self._change(cursor, rarer.FORGET_RATE, group)

    def steer(self, cursor: Cursor) -> None:
        self._change(cursor, rarer.STEER)

    def steered(self, cursor: Cursor) -> int:
        return cast("int", self._one(cursor, rarer.STEERED))

    # ---- looking

    def records(self, cursor: Cursor, ids: Sequence[str]) -> list[Values]:
        return self._rows(cursor, rarer.RECORDS, list(ids))

    def find(self, cursor: Cursor, search: Search, limit: int) -> list[Values]:
        return find(lambda text, *values: self._rows(cursor, text, *values), search, limit)

    def unfinished(self, cursor: Cursor, ids: Sequence[str]) -> set[str]:
        return {row[0] for row in self._rows(cursor, rarer.UNFINISHED, list(ids))}

    def counts(self, cursor: Cursor, groups: Sequence[str] | None, now: int) -> list[Values]:
        if groups is None:
            return self._rows(cursor, rarer.COUNTS.replace("#groups", ""), now, now, now)
        text = rarer.COUNTS.replace("#groups", "AND grp = ANY(%s::text[])")
        listed = list(groups)
        return self._rows(cursor, text, *[now, listed] * 3, listed, listed)

    def next_finished(self, cursor: Cursor, group: str, number: int) -> tuple[str, int] | None:
        cursor.execute(self.named(rarer.NEXT_FINISHED), (group, number))
        return cast("tuple[str, int] | None", cursor.fetchone())

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
        return self._rows(cursor, rarer.PURGEABLE, group, number, *latest, limit)

    # ---- the house

    def now(self, cursor: Cursor) -> int:
        return cast("int", self._one(cursor, rarer.NOW))

    def sign(self, cursor: Cursor) -> tuple[Any, ...]:
        """Return what differs from before when something may have become claimable.

        The second value, and the last, are empty where nothing is ready, and nothing is due.
        """
        return tuple(self._rows(cursor, rarer.SIGN)[0])

    def clear(self, cursor: Cursor) -> None:
        last: str | None = ""
        while last is not None:
            last = self._one(cursor, rarer.CLEAR_TASKS, last, _CLEARED)
        for table in CONTENTS:
            self._change(cursor, f"DELETE FROM @{table}")  # noqa: S608 - own names

    def _rows(self, cursor: Cursor, text: str, *values: Any) -> list[Any]:
        cursor.execute(self.named(text), values)
        return cast("list[Any]", cursor.fetchall())

    def _one(self, cursor: Cursor, text: str, *values: Any) -> Any:
        cursor.execute(self.named(text), values)
        row = cursor.fetchone()
        return None if row is None else row[0]

    def _change(self, cursor: Cursor, text: str, *values: Any) -> int:
        cursor.execute(self.named(text), values)
        return cursor.rowcount


def _in_order(rows: Sequence[Values]) -> Sequence[Values]:
    """Return rows to insert in an order in which two inserts never wait for each other.

    An insert waits for whoever is about to take the same slot: everybody takes them in the same
    order. Of two rows that want the same slot, or have the same id, the first stays the first.
    """
    if all(row[_SLOT] is None for row in rows) or len({row[_ID] for row in rows}) < len(rows):
        return rows
    return sorted(rows, key=lambda row: (row[_SLOT] or "", row[_GROUP]))


def _portions(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield the rows a portion at a time."""
    for start in range(0, len(rows), _PORTION):
        yield rows[start : start + _PORTION]


def _columns(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """Return the values of each column, in the order of the rows."""
    return [list(column) for column in zip(*rows, strict=True)]
