"""The hot statements of SQLite, one transition or one look each."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from taskkit_sql.dialects import Cursor, Values

INSERTED: Final = (
    "id, state, grp, name, priority, due, created, retention, expires, unique_key, unique_slot, "
    "lock_key, lock_limit, options, labels, data"
)
CLAIMED: Final = (
    "seq, id, grp, name, data, due, created, priority, retry_count, retention, expires, "
    "unique_key, unique_slot, lock_key, lock_limit, options, labels, attempt, losses"
)
LOADED: Final = (
    "seq, id, state, grp, due, token, attempt, retry_count, losses, cancelling, settled, "
    "worker_id, began, retention, expires, unique_key, unique_slot, lock_key, options, failure, "
    "history"
)
SAVED: Final = (
    "state, due, attempt, retry_count, losses, cancelling, settled, worker_id, began, done, "
    "purge_at, expires, unique_slot, failure, history, result"
)


class SqliteStatements:
    """Every statement, with the store's prefix in its table names."""

    def __init__(self, prefix: str) -> None:
        def sql(text: str) -> str:
            return " ".join(text.replace("@", prefix).split())

        # Nothing → waiting or ready. A known id, or a taken unique slot, changes nothing.
        self._insert = sql(
            f"INSERT INTO @task ({INSERTED}) VALUES ({_marks(INSERTED)}) ON CONFLICT DO NOTHING"
        )
        self._last_seq = sql("SELECT max(seq) FROM @task")
        self._after_seq = sql("SELECT id FROM @task WHERE seq > ?")
        self._is_known = sql("SELECT 1 FROM @task WHERE id = ?")
        self._holder = sql("SELECT id FROM @task WHERE grp = ? AND unique_slot = ?")
        # Counts no further than it matters.
        self._unclaimed = sql(
            """
            SELECT count(*) FROM (SELECT 1 FROM (
                SELECT 1 FROM @task WHERE grp = ?1 AND state = 1
                UNION ALL SELECT 1 FROM @task WHERE grp = ?1 AND state = 0
                UNION ALL SELECT 1 FROM @task WHERE grp = ?1 AND lock_key IS NOT NULL AND state = 2
            ) LIMIT ?2)
            """
        )

        # Waiting → ready, the longest due first.
        self._promote = sql(
            """
            UPDATE @task SET state = 1 WHERE seq IN (
                SELECT seq FROM @task WHERE state = 0 AND due <= ? ORDER BY due LIMIT ?)
            """
        )
        # Waiting → ready in one group.
        self._promote_group = sql(
            """
            UPDATE @task SET state = 1 WHERE seq IN (
                SELECT seq FROM @task WHERE state = 0 AND grp = ? AND due <= ?
                ORDER BY due LIMIT ?)
            """
        )
        self._first_waiting = sql("SELECT min(due) FROM @task WHERE state = 0")
        self._first_waiting_of_group = sql("SELECT min(due) FROM @task WHERE state = 0 AND grp = ?")
        self._soonest = sql("SELECT due, grp FROM @task WHERE state = 0 ORDER BY due LIMIT ?")
        # One step of a loose scan: a seek, however many tasks the groups between hold.
        self._next_ready_group = sql(
            "SELECT grp FROM @task WHERE state = 1 AND grp >= ? AND grp < ? ORDER BY grp LIMIT 1"
        )
        self._next_waiting_group = sql(
            "SELECT grp FROM @task WHERE state = 0 AND grp >= ? AND grp < ? ORDER BY grp LIMIT 1"
        )
        self._first_ready = sql("SELECT min(due) FROM @task WHERE state = 1 AND grp = ?")
        self._has_expired = sql(
            """
            SELECT 1 FROM @task WHERE expires IS NOT NULL AND state < 3 AND expires <= ? LIMIT 1
            """
        )
        # The candidates of a claim, in claim order. `due` again: the clock may have stepped back.
        self._ready = sql(
            f"""
            SELECT {CLAIMED} FROM @task WHERE state = 1 AND grp = ? AND due <= ?
            ORDER BY priority DESC, due, id LIMIT ?
            """
        )
        # Ready → running.
        self._take = sql(
            """
            UPDATE @task SET state = 3, token = ?, attempt = attempt + 1, worker_id = ?,
                began = ?, settled = NULL
            WHERE seq IN (SELECT value FROM json_each(?))
            """
        )
        # A claim frees the unique key of scope "queued".
        self._free_slots = sql(
            "UPDATE @task SET unique_slot = NULL WHERE seq IN (SELECT value FROM json_each(?))"
        )
        self._running_of_group = sql("SELECT count(*) FROM @task WHERE state = 3 AND grp = ?")
        self._running_of_lock = sql(
            "SELECT count(*) FROM @task WHERE grp = ? AND lock_key = ? AND state = 3"
        )
        # Ready → parked: all that a lock holds back leave the way of others at once.
        self._park = sql(
            """
            UPDATE @task SET state = 2 WHERE seq IN (
                SELECT seq FROM @task WHERE grp = ? AND lock_key = ? AND state = 1
                    AND lock_limit <= ? LIMIT ?)
            """
        )
        # Who would be next of those that a lock holds back, and how many may run beside it.
        self._next_parked = sql(
            """
            SELECT lock_limit FROM @task WHERE grp = ? AND lock_key = ? AND state = 2
                AND lock_limit > ? ORDER BY priority DESC, due, id LIMIT 1
            """
        )
        # Parked → ready: as many as there is room for, in claim order.
        self._unpark = sql(
            """
            UPDATE @task SET state = 1 WHERE seq IN (
                SELECT seq FROM @task WHERE grp = ? AND lock_key = ? AND state = 2
                    AND lock_limit > ? ORDER BY priority DESC, due, id LIMIT ?)
            """
        )

        # Running → succeeded, where nothing else has to be looked at.
        self._succeed = sql(
            """
            UPDATE @task SET state = 4, settled = 1, done = ?, purge_at = ? + retention,
                result = ?
            WHERE id = ? AND token = ? AND state = 3 AND cancelling = 0
                AND lock_key IS NULL AND unique_slot IS NULL
            """
        )
        self._load = sql(f"SELECT {LOADED} FROM @task WHERE id IN (SELECT value FROM json_each(?))")
        self._load_running = sql(
            f"SELECT {LOADED} FROM @task WHERE state = 3 AND worker_id = ? LIMIT ?"
        )
        self._next_running_worker = sql(
            """
            SELECT worker_id FROM @task WHERE state = 3 AND worker_id > ?
            ORDER BY worker_id LIMIT 1
            """
        )
        self._load_expired = sql(
            f"""
            SELECT {LOADED} FROM @task WHERE expires IS NOT NULL AND state < 3 AND expires <= ?
            ORDER BY expires LIMIT ?
            """
        )
        # Any state → any other: the row as Changes has decided.
        self._save = sql(f"UPDATE @task SET ({SAVED}) = ({_marks(SAVED)}) WHERE seq = ?")
        # Any state → nothing.
        self._remove = sql("DELETE FROM @task WHERE seq IN (SELECT value FROM json_each(?))")

        self._store = sql("SELECT claims, wakes, controls FROM @store")
        self._set_claims = sql("UPDATE @store SET claims = ?")
        self._wake = sql("UPDATE @store SET wakes = wakes + 1 RETURNING wakes")
        self._lease = sql("SELECT expires FROM @worker WHERE id = ?")

    # ---- putting

    def insert(self, cursor: Cursor, row: Values) -> bool:
        cursor.execute(self._insert, row)
        return cursor.rowcount == 1

    def insert_many(self, cursor: Cursor, rows: list[Values]) -> list[str] | None:
        """Insert rows of distinct ids; None if all went in, else the ids that did."""
        before = _one(cursor, self._last_seq)
        cursor.executemany(self._insert, rows)
        if cursor.rowcount == len(rows):
            return None
        # seq grows with every insert, and nobody else inserts meanwhile.
        cursor.execute(self._after_seq, (before or 0,))
        return [row[0] for row in cursor.fetchall()]

    def is_known(self, cursor: Cursor, task_id: str) -> bool:
        return _one(cursor, self._is_known, task_id) is not None

    def holder(self, cursor: Cursor, group: str, key: str) -> str | None:
        return cast("str | None", _one(cursor, self._holder, group, key))

    def unclaimed(self, cursor: Cursor, group: str, most: int) -> int:
        return cast("int", _one(cursor, self._unclaimed, group, most))

    # ---- claiming

    def first_waiting(self, cursor: Cursor) -> int | None:
        return cast("int | None", _one(cursor, self._first_waiting))

    def promote(self, cursor: Cursor, now: int, limit: int) -> int:
        cursor.execute(self._promote, (now, limit))
        return cursor.rowcount

    def promote_group(self, cursor: Cursor, group: str, now: int, limit: int) -> int:
        cursor.execute(self._promote_group, (group, now, limit))
        return cursor.rowcount

    def first_waiting_of_group(self, cursor: Cursor, group: str) -> int | None:
        return cast("int | None", _one(cursor, self._first_waiting_of_group, group))

    def soonest(self, cursor: Cursor, limit: int) -> list[tuple[int, str]]:
        cursor.execute(self._soonest, (limit,))
        return cursor.fetchall()

    def next_ready_group(self, cursor: Cursor, low: str, high: str) -> str | None:
        return cast("str | None", _one(cursor, self._next_ready_group, low, high))

    def next_waiting_group(self, cursor: Cursor, low: str, high: str) -> str | None:
        return cast("str | None", _one(cursor, self._next_waiting_group, low, high))

    def first_ready(self, cursor: Cursor, group: str) -> int | None:
        return cast("int | None", _one(cursor, self._first_ready, group))

    def has_expired(self, cursor: Cursor, now: int) -> bool:
        return _one(cursor, self._has_expired, now) is not None

    def ready(self, cursor: Cursor, group: str, now: int, limit: int) -> list[Values]:
        cursor.execute(self._ready, (group, now, limit))
        return cursor.fetchall()

    def take(self, cursor: Cursor, seqs: list[int], worker_id: str, token: int, now: int) -> None:
        cursor.execute(self._take, (token, worker_id, now, json.dumps(seqs)))

    def free_slots(self, cursor: Cursor, seqs: list[int]) -> None:
        cursor.execute(self._free_slots, (json.dumps(seqs),))

    def running_of_group(self, cursor: Cursor, group: str) -> int:
        return cast("int", _one(cursor, self._running_of_group, group))

    def running_of_lock(self, cursor: Cursor, group: str, key: str) -> int:
        return cast("int", _one(cursor, self._running_of_lock, group, key))

    def park(self, cursor: Cursor, group: str, key: str, running: int, limit: int) -> int:
        cursor.execute(self._park, (group, key, running, limit))
        return cursor.rowcount

    def unpark(self, cursor: Cursor, group: str, key: str, running: int) -> int:
        limit = _one(cursor, self._next_parked, group, key, running)
        if limit is None:
            return 0
        cursor.execute(self._unpark, (group, key, running, limit - running))
        return cursor.rowcount

    # ---- settling, and the rarer transitions

    def succeed(self, cursor: Cursor, rows: list[Values]) -> int:
        cursor.executemany(self._succeed, rows)
        return cursor.rowcount

    def load(self, cursor: Cursor, ids: list[str]) -> list[Values]:
        cursor.execute(self._load, (json.dumps(ids),))
        return cursor.fetchall()

    def load_running(self, cursor: Cursor, worker_id: str, limit: int) -> list[Values]:
        cursor.execute(self._load_running, (worker_id, limit))
        return cursor.fetchall()

    def next_running_worker(self, cursor: Cursor, after: str) -> str | None:
        return cast("str | None", _one(cursor, self._next_running_worker, after))

    def load_expired(self, cursor: Cursor, now: int, limit: int) -> list[Values]:
        cursor.execute(self._load_expired, (now, limit))
        return cursor.fetchall()

    def save(self, cursor: Cursor, rows: list[Values]) -> None:
        cursor.executemany(self._save, rows)

    def remove(self, cursor: Cursor, seqs: list[int]) -> None:
        cursor.execute(self._remove, (json.dumps(seqs),))

    # ---- bookkeeping

    def store(self, cursor: Cursor) -> tuple[int, int, int]:
        cursor.execute(self._store)
        return cast("tuple[int, int, int]", cursor.fetchone())

    def set_claims(self, cursor: Cursor, token: int) -> None:
        cursor.execute(self._set_claims, (token,))

    def wake(self, cursor: Cursor) -> int:
        return cast("int", _one(cursor, self._wake))

    def lease(self, cursor: Cursor, worker_id: str) -> int | None:
        return cast("int | None", _one(cursor, self._lease, worker_id))


def _one(cursor: Cursor, sql: str, *parameters: Any) -> Any:
    cursor.execute(sql, parameters)
    row = cursor.fetchone()
    return None if row is None else row[0]


def _marks(columns: str) -> str:
    return ", ".join("?" * len(columns.split(",")))
