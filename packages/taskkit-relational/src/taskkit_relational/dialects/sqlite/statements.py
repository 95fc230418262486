"""What SQLite says; it lets one writer in at a time, so that nothing has to be locked."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any, Final, cast

from taskkit.clock import SystemClock
from taskkit.task import Label
from taskkit_relational.dialects.searching import Condition, conditions
from taskkit_relational.dialects.sqlite import texts as sql
from taskkit_relational.schema import CONTENTS, RUNNING
from taskkit_relational.statements import Cursor, Search, Values

_ENDLESS: Final = 1 << 62
"""Later than every instant."""


_HAS: Final = """EXISTS (
    SELECT 1 FROM json_each(CASE WHEN json_valid(labels) THEN labels ELSE '{}' END) AS entry
    WHERE entry.key = ? AND entry.value = ? AND entry.type @kind ('true', 'false'))"""
_HAS_BOOL: Final = _HAS.replace("@kind", "IN")
_HAS_OTHER: Final = _HAS.replace("@kind", "NOT IN")


class SqliteStatements:
    """Every statement, with the store's prefix in its table names."""

    def __init__(self, prefix: str) -> None:
        self._sql: Callable[[str], str] = cache(
            lambda text: " ".join(text.replace("@", prefix).split())
        )

    # ---- putting

    def insert(self, cursor: Cursor, rows: Sequence[Values]) -> set[str] | None:
        before = _one(cursor, self._sql(sql.LAST_SEQ))
        cursor.executemany(self._sql(sql.INSERT), rows)
        if cursor.rowcount == len(rows):
            return None
        # seq grows with every insert, and nobody else inserts meanwhile.
        cursor.execute(self._sql(sql.AFTER_SEQ), (before or 0,))
        return {row[0] for row in cursor.fetchall()}

    def known(self, cursor: Cursor, ids: Sequence[str]) -> set[str]:
        cursor.execute(self._sql(sql.KNOWN), (json.dumps(list(ids)),))
        return {row[0] for row in cursor.fetchall()}

    def holders(self, cursor: Cursor, slots: Sequence[tuple[str, str]]) -> dict[Any, str]:
        found = {slot: _one(cursor, self._sql(sql.HOLDER), *slot) for slot in slots}
        return {slot: task_id for slot, task_id in found.items() if task_id is not None}

    def unclaimed(self, cursor: Cursor, group: str, most: int) -> int:
        return cast("int", _one(cursor, self._sql(sql.UNCLAIMED), group, group, group, most))

    # ---- claiming

    def lease(self, cursor: Cursor, worker_id: str) -> int | None:
        return cast("int | None", _one(cursor, self._sql(sql.LEASE), worker_id))

    def glance(
        self, cursor: Cursor, worker_id: str, now: int
    ) -> tuple[int | None, int | None, int | None]:
        return tuple(self._rows(cursor, sql.GLANCE, worker_id, now)[0])

    def token(self, cursor: Cursor) -> int:
        return cast("int", _one(cursor, self._sql(sql.DRAW)))

    def gates(self, cursor: Cursor, names: Collection[str], *, wait: bool) -> set[str]:  # noqa: ARG002 - the one writer holds all
        return set(names)

    def promote(self, cursor: Cursor, now: int, limit: int) -> int:
        cursor.execute(self._sql(sql.PROMOTE), (now, limit))
        return cursor.rowcount

    def promote_group(self, cursor: Cursor, group: str, now: int, limit: int) -> int:
        cursor.execute(self._sql(sql.PROMOTE_GROUP), (group, now, limit))
        return cursor.rowcount

    def soonest(self, cursor: Cursor, limit: int) -> list[tuple[int, str]]:
        cursor.execute(self._sql(sql.SOONEST), (limit,))
        return cast("list[Any]", cursor.fetchall())

    def next_ready_group(self, cursor: Cursor, low: str, high: str) -> str | None:
        return cast("str | None", _one(cursor, self._sql(sql.NEXT_READY_GROUP), low, high))

    def ready_groups(
        self, cursor: Cursor, first: tuple[str, str], second: tuple[str, str]
    ) -> tuple[str | None, str | None]:
        return tuple(self._rows(cursor, sql.READY_GROUPS, *first, *second)[0])

    def waiting_of(
        self, cursor: Cursor, group: str, low: str, high: str
    ) -> tuple[int | None, str | None]:
        return tuple(self._rows(cursor, sql.WAITING_OF, group, low, high)[0])

    def first_ready(self, cursor: Cursor, group: str) -> int | None:
        return cast("int | None", _one(cursor, self._sql(sql.FIRST_READY), group))

    def has_expired(self, cursor: Cursor, now: int) -> bool:
        return _one(cursor, self._sql(sql.HAS_EXPIRED), now) is not None

    def ready(self, cursor: Cursor, group: str, now: int, limit: int) -> list[Values]:
        cursor.execute(self._sql(sql.READY), (group, now, limit))
        return cast("list[Any]", cursor.fetchall())

    def take(
        self, cursor: Cursor, keys: Sequence[int], worker_id: str, token: int, now: int
    ) -> None:
        cursor.execute(self._sql(sql.TAKE), (token, worker_id, now, json.dumps(list(keys))))

    def free_slots(self, cursor: Cursor, keys: Sequence[int]) -> None:
        cursor.execute(self._sql(sql.FREE_SLOTS), (json.dumps(list(keys)),))

    def running_of_group(self, cursor: Cursor, group: str) -> int:
        return cast("int", _one(cursor, self._sql(sql.RUNNING_OF_GROUP), group))

    def running_of_lock(self, cursor: Cursor, group: str, key: str) -> int:
        return cast("int", _one(cursor, self._sql(sql.RUNNING_OF_LOCK), group, key))

    def park(self, cursor: Cursor, group: str, key: str, running: int, limit: int) -> int:
        cursor.execute(self._sql(sql.PARK), (group, key, running, limit))
        return cursor.rowcount

    def unpark(self, cursor: Cursor, group: str, key: str, running: int) -> int:
        limit = _one(cursor, self._sql(sql.NEXT_PARKED), group, key, running)
        if limit is None:
            return 0
        cursor.execute(self._sql(sql.UNPARK), (group, key, running, limit - running))
        return cursor.rowcount

    def rate_log(self, cursor: Cursor, group: str, since: int, now: int) -> list[tuple[int, int]]:
        cursor.execute(self._sql(sql.FORGET_CLAIMS), (group, since))
        cursor.execute(self._sql(sql.SET_BACK_CLAIMS), (now, group, now))
        cursor.execute(self._sql(sql.CLAIMS), (group,))
        return cast("list[tuple[int, int]]", cursor.fetchall())

    def log_rate(self, cursor: Cursor, group: str, at: int, claims: int) -> None:
        cursor.execute(self._sql(sql.LOG_RATE), (group, at, claims))

    def last_served(self, cursor: Cursor, want: str) -> str:
        return _one(cursor, self._sql(sql.LAST_SERVED), want) or ""

    def remember_served(self, cursor: Cursor, want: str, group: str) -> None:
        cursor.execute(self._sql(sql.REMEMBER_SERVED), (want, group))

    # ---- settling, and the rarer transitions

    def succeed(self, cursor: Cursor, now: int, rows: Sequence[tuple[str, int, bytes]]) -> int:
        cursor.executemany(
            self._sql(sql.SUCCEED),
            [(now, now, result, task_id, token) for task_id, token, result in rows],
        )
        return cursor.rowcount

    def load(self, cursor: Cursor, ids: Sequence[str]) -> list[Values]:
        cursor.execute(self._sql(sql.LOAD), (json.dumps(list(ids)),))
        return cast("list[Any]", cursor.fetchall())

    def load_running(self, cursor: Cursor, worker_id: str, limit: int) -> list[Values]:
        cursor.execute(self._sql(sql.LOAD_RUNNING), (worker_id, limit))
        return cast("list[Any]", cursor.fetchall())

    def load_expired(self, cursor: Cursor, now: int, limit: int) -> list[Values]:
        cursor.execute(self._sql(sql.LOAD_EXPIRED), (now, limit))
        return cast("list[Any]", cursor.fetchall())

    def save(self, cursor: Cursor, rows: Sequence[Values]) -> None:
        cursor.executemany(self._sql(sql.SAVE), rows)

    def remove(self, cursor: Cursor, keys: Sequence[int]) -> None:
        cursor.execute(self._sql(sql.REMOVE), (json.dumps(list(keys)),))

    def note_discard(self, cursor: Cursor, task_id: str, token: int, at: int) -> None:
        cursor.execute(self._sql(sql.NOTE_DISCARD), (task_id, token, at))

    def was_discarded(self, cursor: Cursor, task_id: str, token: int) -> bool:
        return _one(cursor, self._sql(sql.WAS_DISCARDED), task_id, token) is not None

    def forget_discards(self, cursor: Cursor, before: int) -> None:
        cursor.execute(self._sql(sql.FORGET_DISCARDS), (before,))

    # ---- workers

    def enter(
        self, cursor: Cursor, worker_id: str, info: str, now: int, expires: int, mark: int
    ) -> None:
        cursor.execute(self._sql(sql.ENTER), (worker_id, info, now, expires, mark))

    def renew(self, cursor: Cursor, worker_id: str, now: int, expires: int, mark: int) -> Any:
        cursor.execute(self._sql(sql.WORKER), (worker_id, now))
        found = cursor.fetchone()
        if found is not None:
            cursor.execute(self._sql(sql.RENEW), (expires, mark, worker_id))
        return found

    def leave(self, cursor: Cursor, worker_id: str) -> bool:
        cursor.execute(self._sql(sql.LEAVE), (worker_id,))
        return cursor.rowcount == 1

    def workers(self, cursor: Cursor) -> list[Values]:
        return self._rows(cursor, sql.WORKERS)

    def stopped(self, cursor: Cursor) -> list[tuple[str, str]]:
        return self._rows(cursor, sql.STOPPED)

    def stop(self, cursor: Cursor, worker_id: str, stopped: str) -> None:
        cursor.execute(self._sql(sql.STOP), (stopped, worker_id))

    def leases(self, cursor: Cursor) -> list[tuple[str, int]]:
        return self._rows(cursor, sql.LEASES)

    def next_running_worker(self, cursor: Cursor, after: str) -> str | None:
        return cast("str | None", _one(cursor, self._sql(sql.NEXT_RUNNING_WORKER), after))

    def running(self, cursor: Cursor, worker_id: str) -> list[tuple[str, int, int]]:
        return self._rows(cursor, sql.RUNNING, worker_id)

    def report(self, cursor: Cursor, worker_id: str, progress: Mapping[str, bytes]) -> None:
        rows = [(told, task_id, worker_id) for task_id, told in progress.items()]
        cursor.executemany(self._sql(sql.REPORT), rows)

    # ---- schedules

    def schedule(self, cursor: Cursor, name: str) -> tuple[int, bytes] | None:
        cursor.execute(self._sql(sql.SCHEDULE), (name,))
        return cast("tuple[int, bytes] | None", cursor.fetchone())

    def advance(self, cursor: Cursor, name: str, version: int, state: bytes) -> bool:
        if version == 0:
            cursor.execute(self._sql(sql.FIRST_ADVANCE), (state, name))
        else:
            cursor.execute(self._sql(sql.ADVANCE), (state, name, version))
        return cursor.rowcount == 1

    # ---- pauses and limits

    def pauses(self, cursor: Cursor) -> list[tuple[str, int | None]]:
        return self._rows(cursor, sql.PAUSES)

    def limits(self, cursor: Cursor) -> list[Values]:
        return self._rows(cursor, sql.LIMITS)

    def pause(self, cursor: Cursor, group: str, until: int | None) -> None:
        cursor.execute(self._sql(sql.PAUSE), (group, until))

    def resume(self, cursor: Cursor, group: str | None) -> None:
        if group is None:
            cursor.execute(self._sql(sql.RESUME_ALL))
        else:
            cursor.execute(self._sql(sql.RESUME), (group,))

    def limit(self, cursor: Cursor, row: Values) -> None:
        cursor.execute(self._sql(sql.LIMIT), row)

    def unlimit(self, cursor: Cursor, group: str) -> None:
        cursor.execute(self._sql(sql.UNLIMIT), (group,))

    def forget_rate(self, cursor: Cursor, group: str) -> None:
        cursor.execute(self._sql(sql.FORGET_RATE), (group,))

    def steer(self, cursor: Cursor) -> None:
        cursor.execute(self._sql(sql.STEER))

    def steered(self, cursor: Cursor) -> int:
        return cast("int", _one(cursor, self._sql(sql.STEERED)))

    # ---- looking

    def records(self, cursor: Cursor, ids: Sequence[str]) -> list[Values]:
        return self._rows(cursor, sql.RECORDS, json.dumps(list(ids)))

    def find(self, cursor: Cursor, search: Search, limit: int) -> list[Values]:
        where, parameters = conditions(search, _has_label)
        # Few run at any time, however many have finished: those are better sorted than looked for
        # along the ids. An expression keeps the index of ids out of it.
        few = search.numbers is not None and not (search.waiting or search.queued)
        few = few and set(search.numbers or ()) == {RUNNING}
        order = "id || ''" if few else "id"
        text = f"SELECT {sql.RECORDED} FROM @task WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608 - conditions of ours, parameters bound
        return self._rows(cursor, text, *parameters, limit)

    def unfinished(self, cursor: Cursor, ids: Sequence[str]) -> set[str]:
        return {row[0] for row in self._rows(cursor, sql.UNFINISHED, json.dumps(list(ids)))}

    def counts(self, cursor: Cursor, groups: Sequence[str] | None, now: int) -> list[Values]:
        if groups is None:
            return self._rows(cursor, sql.COUNTS.replace("@groups", ""), *[now] * 6)
        text = sql.COUNTS.replace("@groups", "AND grp IN (SELECT value FROM json_each(?))")
        listed = json.dumps(list(groups))
        return self._rows(cursor, text, *[now, listed, now] * 3, listed, listed)

    def next_finished(self, cursor: Cursor, group: str, number: int) -> tuple[str, int] | None:
        cursor.execute(self._sql(sql.NEXT_FINISHED), (group, number))
        return cast("tuple[str, int] | None", cursor.fetchone())

    def purgeable(
        self,
        cursor: Cursor,
        group: str,
        number: int,
        limit: int,
        purge_at: int | None,
        done: int | None,
    ) -> list[tuple[Any, str]]:
        latest = [_ENDLESS if instant is None else instant for instant in (purge_at, done)]
        return self._rows(cursor, sql.PURGEABLE, group, number, *latest, limit)

    # ---- the house

    def now(self, cursor: Cursor) -> int:  # noqa: ARG002 - SQLite's time is this host's
        return SystemClock().now()

    def clear(self, cursor: Cursor) -> None:
        for table in CONTENTS:
            cursor.execute(self._sql(f"DELETE FROM @{table}"))  # noqa: S608 - own names

    def begun(self, cursor: Cursor) -> tuple[int, int]:
        """Return the counts of wakes and of changes to pauses and limits."""
        cursor.execute(self._sql(sql.BEGUN))
        return cast("tuple[int, int]", cursor.fetchone())

    def wake(self, cursor: Cursor) -> int:
        """Let the count of wakes grow; return it."""
        return cast("int", _one(cursor, self._sql(sql.WAKE)))

    def _rows(self, cursor: Cursor, text: str, *parameters: Any) -> list[Any]:
        cursor.execute(self._sql(text), parameters)
        return cast("list[Any]", cursor.fetchall())


def _has_label(key: str, value: Label) -> Condition:
    # Broken JSON has no label. To SQLite, as to Python, true is 1; as labels they are different.
    return (_HAS_BOOL if isinstance(value, bool) else _HAS_OTHER), [key, value]


def _one(cursor: Cursor, sql: str, *parameters: Any) -> Any:
    cursor.execute(sql, parameters)
    row = cursor.fetchone()
    return None if row is None else row[0]
