"""The hot statements of SQLite, one transition or one look each.

``@`` stands for the prefix of the tables. Numbers of states are literals: only then does SQLite
see that a partial index applies. Lists go in as one JSON array, so that one prepared statement
serves any length.
"""

from __future__ import annotations

from typing import Final

# ruff: noqa: S608 - what is formatted in are the lists of columns here; data is always bound

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


def _marks(columns: str) -> str:
    return ", ".join("?" * len(columns.split(",")))


# Nothing → waiting or ready. A known id, or a taken unique slot, changes nothing.
INSERT: Final = f"INSERT INTO @task ({INSERTED}) VALUES ({_marks(INSERTED)}) ON CONFLICT DO NOTHING"

LAST_SEQ: Final = "SELECT max(seq) FROM @task"

AFTER_SEQ: Final = "SELECT id FROM @task WHERE seq > ?"

IS_KNOWN: Final = "SELECT 1 FROM @task WHERE id = ?"

HOLDER: Final = "SELECT id FROM @task WHERE grp = ? AND unique_slot = ?"

# Counts no further than it matters.
UNCLAIMED: Final = """
SELECT count(*) FROM (SELECT 1 FROM (
    SELECT 1 FROM @task WHERE grp = ? AND state = 1
    UNION ALL SELECT 1 FROM @task WHERE grp = ? AND state = 0
    UNION ALL SELECT 1 FROM @task WHERE grp = ? AND lock_key IS NOT NULL AND state = 2
) LIMIT ?)
"""

# Waiting → ready, the longest due first.
PROMOTE: Final = """
UPDATE @task SET state = 1 WHERE seq IN (
    SELECT seq FROM @task WHERE state = 0 AND due <= ? ORDER BY due LIMIT ?)
"""

# Waiting → ready in one group.
PROMOTE_GROUP: Final = """
UPDATE @task SET state = 1 WHERE seq IN (
    SELECT seq FROM @task WHERE state = 0 AND grp = ? AND due <= ?
    ORDER BY due LIMIT ?)
"""

FIRST_WAITING: Final = "SELECT min(due) FROM @task WHERE state = 0"

FIRST_WAITING_OF_GROUP: Final = "SELECT min(due) FROM @task WHERE state = 0 AND grp = ?"

SOONEST: Final = "SELECT due, grp FROM @task WHERE state = 0 ORDER BY due LIMIT ?"

# One step of a loose scan: a seek, however many tasks the groups between hold.
NEXT_READY_GROUP: Final = (
    "SELECT grp FROM @task WHERE state = 1 AND grp >= ? AND grp < ? ORDER BY grp LIMIT 1"
)

NEXT_WAITING_GROUP: Final = (
    "SELECT grp FROM @task WHERE state = 0 AND grp >= ? AND grp < ? ORDER BY grp LIMIT 1"
)

FIRST_READY: Final = "SELECT min(due) FROM @task WHERE state = 1 AND grp = ?"

HAS_EXPIRED: Final = """
SELECT 1 FROM @task WHERE expires IS NOT NULL AND state < 3 AND expires <= ? LIMIT 1
"""

# The candidates of a claim, in claim order. `due` again: the clock may have stepped back.
READY: Final = f"""
SELECT {CLAIMED} FROM @task WHERE state = 1 AND grp = ? AND due <= ?
ORDER BY priority DESC, due, id LIMIT ?
"""

# Ready → running.
TAKE: Final = """
UPDATE @task SET state = 3, token = ?, attempt = attempt + 1, worker_id = ?,
    began = ?, settled = NULL
WHERE seq IN (SELECT value FROM json_each(?))
"""

# A claim frees the unique key of scope "queued".
FREE_SLOTS: Final = (
    "UPDATE @task SET unique_slot = NULL WHERE seq IN (SELECT value FROM json_each(?))"
)

RUNNING_OF_GROUP: Final = "SELECT count(*) FROM @task WHERE state = 3 AND grp = ?"

RUNNING_OF_LOCK: Final = "SELECT count(*) FROM @task WHERE grp = ? AND lock_key = ? AND state = 3"

# Ready → parked: all that a lock holds back leave the way of others at once.
PARK: Final = """
UPDATE @task SET state = 2 WHERE seq IN (
    SELECT seq FROM @task WHERE grp = ? AND lock_key = ? AND state = 1
        AND lock_limit <= ? LIMIT ?)
"""

# Who would be next of those that a lock holds back, and how many may run beside it.
NEXT_PARKED: Final = """
SELECT lock_limit FROM @task WHERE grp = ? AND lock_key = ? AND state = 2
    AND lock_limit > ? ORDER BY priority DESC, due, id LIMIT 1
"""

# Parked → ready: as many as there is room for, in claim order.
UNPARK: Final = """
UPDATE @task SET state = 1 WHERE seq IN (
    SELECT seq FROM @task WHERE grp = ? AND lock_key = ? AND state = 2
        AND lock_limit > ? ORDER BY priority DESC, due, id LIMIT ?)
"""

# Running → succeeded, where nothing else has to be looked at.
SUCCEED: Final = """
UPDATE @task SET state = 4, settled = 1, done = ?, purge_at = ? + retention,
    result = ?
WHERE id = ? AND token = ? AND state = 3 AND cancelling = 0
    AND lock_key IS NULL AND unique_slot IS NULL
"""

LOAD: Final = f"SELECT {LOADED} FROM @task WHERE id IN (SELECT value FROM json_each(?))"

LOAD_RUNNING: Final = f"SELECT {LOADED} FROM @task WHERE state = 3 AND worker_id = ? LIMIT ?"

NEXT_RUNNING_WORKER: Final = """
SELECT worker_id FROM @task WHERE state = 3 AND worker_id > ?
ORDER BY worker_id LIMIT 1
"""

LOAD_EXPIRED: Final = f"""
SELECT {LOADED} FROM @task WHERE expires IS NOT NULL AND state < 3 AND expires <= ?
ORDER BY expires LIMIT ?
"""

# Any state → any other: the row as Changes has decided.
SAVE: Final = f"UPDATE @task SET ({SAVED}) = ({_marks(SAVED)}) WHERE seq = ?"

# Any state → nothing.
REMOVE: Final = "DELETE FROM @task WHERE seq IN (SELECT value FROM json_each(?))"

STORE: Final = "SELECT claims, wakes, controls FROM @store"

SET_CLAIMS: Final = "UPDATE @store SET claims = ?"

WAKE: Final = "UPDATE @store SET wakes = wakes + 1 RETURNING wakes"

LEASE: Final = "SELECT expires FROM @worker WHERE id = ?"
