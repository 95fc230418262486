"""The hot path on SQLite: each method runs one statement of ``sqlite_statements``."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from taskkit_sql.dialects import Cursor, Values
from taskkit_sql.dialects import sqlite_statements as sql


class SqliteHot:
    """Every statement, with the store's prefix in its table names."""

    def __init__(self, prefix: str) -> None:
        self._sql: Callable[[str], str] = cache(
            lambda text: " ".join(text.replace("@", prefix).split())
        )

    # ---- putting

    def insert(self, cursor: Cursor, row: Values) -> bool:
        cursor.execute(self._sql(sql.INSERT), row)
        return cursor.rowcount == 1

    def insert_many(self, cursor: Cursor, rows: list[Values]) -> list[str] | None:
        """Insert rows of distinct ids; None if all went in, else the ids that did."""
        before = _one(cursor, self._sql(sql.LAST_SEQ))
        cursor.executemany(self._sql(sql.INSERT), rows)
        if cursor.rowcount == len(rows):
            return None
        # seq grows with every insert, and nobody else inserts meanwhile.
        cursor.execute(self._sql(sql.AFTER_SEQ), (before or 0,))
        return [row[0] for row in cursor.fetchall()]

    def is_known(self, cursor: Cursor, task_id: str) -> bool:
        return _one(cursor, self._sql(sql.IS_KNOWN), task_id) is not None

    def holder(self, cursor: Cursor, group: str, key: str) -> str | None:
        return cast("str | None", _one(cursor, self._sql(sql.HOLDER), group, key))

    def unclaimed(self, cursor: Cursor, group: str, most: int) -> int:
        return cast("int", _one(cursor, self._sql(sql.UNCLAIMED), group, group, group, most))

    # ---- claiming

    def first_waiting(self, cursor: Cursor) -> int | None:
        return cast("int | None", _one(cursor, self._sql(sql.FIRST_WAITING)))

    def promote(self, cursor: Cursor, now: int, limit: int) -> int:
        cursor.execute(self._sql(sql.PROMOTE), (now, limit))
        return cursor.rowcount

    def promote_group(self, cursor: Cursor, group: str, now: int, limit: int) -> int:
        cursor.execute(self._sql(sql.PROMOTE_GROUP), (group, now, limit))
        return cursor.rowcount

    def first_waiting_of_group(self, cursor: Cursor, group: str) -> int | None:
        return cast("int | None", _one(cursor, self._sql(sql.FIRST_WAITING_OF_GROUP), group))

    def soonest(self, cursor: Cursor, limit: int) -> list[tuple[int, str]]:
        cursor.execute(self._sql(sql.SOONEST), (limit,))
        return cursor.fetchall()

    def next_ready_group(self, cursor: Cursor, low: str, high: str) -> str | None:
        return cast("str | None", _one(cursor, self._sql(sql.NEXT_READY_GROUP), low, high))

    def next_waiting_group(self, cursor: Cursor, low: str, high: str) -> str | None:
        return cast("str | None", _one(cursor, self._sql(sql.NEXT_WAITING_GROUP), low, high))

    def first_ready(self, cursor: Cursor, group: str) -> int | None:
        return cast("int | None", _one(cursor, self._sql(sql.FIRST_READY), group))

    def has_expired(self, cursor: Cursor, now: int) -> bool:
        return _one(cursor, self._sql(sql.HAS_EXPIRED), now) is not None

    def ready(self, cursor: Cursor, group: str, now: int, limit: int) -> list[Values]:
        cursor.execute(self._sql(sql.READY), (group, now, limit))
        return cursor.fetchall()

    def take(self, cursor: Cursor, seqs: list[int], worker_id: str, token: int, now: int) -> None:
        cursor.execute(self._sql(sql.TAKE), (token, worker_id, now, json.dumps(seqs)))

    def free_slots(self, cursor: Cursor, seqs: list[int]) -> None:
        cursor.execute(self._sql(sql.FREE_SLOTS), (json.dumps(seqs),))

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

    # ---- settling, and the rarer transitions

    def succeed(self, cursor: Cursor, rows: list[Values]) -> int:
        cursor.executemany(self._sql(sql.SUCCEED), rows)
        return cursor.rowcount

    def load(self, cursor: Cursor, ids: list[str]) -> list[Values]:
        cursor.execute(self._sql(sql.LOAD), (json.dumps(ids),))
        return cursor.fetchall()

    def load_running(self, cursor: Cursor, worker_id: str, limit: int) -> list[Values]:
        cursor.execute(self._sql(sql.LOAD_RUNNING), (worker_id, limit))
        return cursor.fetchall()

    def next_running_worker(self, cursor: Cursor, after: str) -> str | None:
        return cast("str | None", _one(cursor, self._sql(sql.NEXT_RUNNING_WORKER), after))

    def load_expired(self, cursor: Cursor, now: int, limit: int) -> list[Values]:
        cursor.execute(self._sql(sql.LOAD_EXPIRED), (now, limit))
        return cursor.fetchall()

    def save(self, cursor: Cursor, rows: list[Values]) -> None:
        cursor.executemany(self._sql(sql.SAVE), rows)

    def remove(self, cursor: Cursor, seqs: list[int]) -> None:
        cursor.execute(self._sql(sql.REMOVE), (json.dumps(seqs),))

    # ---- bookkeeping

    def store(self, cursor: Cursor) -> tuple[int, int, int]:
        cursor.execute(self._sql(sql.STORE))
        return cast("tuple[int, int, int]", cursor.fetchone())

    def set_claims(self, cursor: Cursor, token: int) -> None:
        cursor.execute(self._sql(sql.SET_CLAIMS), (token,))

    def wake(self, cursor: Cursor) -> int:
        return cast("int", _one(cursor, self._sql(sql.WAKE)))

    def lease(self, cursor: Cursor, worker_id: str) -> int | None:
        return cast("int | None", _one(cursor, self._sql(sql.LEASE), worker_id))


def _one(cursor: Cursor, sql: str, *parameters: Any) -> Any:
    cursor.execute(sql, parameters)
    row = cursor.fetchone()
    return None if row is None else row[0]
