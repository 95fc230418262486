"""The hot statements of SQLite, one transition or one look each.

``@`` stands for the prefix of the tables. Numbers of states are literals: only then does SQLite
see that a partial index applies. Lists go in as one JSON array, so that one prepared statement
serves any length.
"""

from __future__ import annotations

from typing import Final

from taskkit_relational import schema

# ruff: noqa: S608 - what is formatted in are the lists of columns here; data is always bound

INSERTED: Final = ", ".join(schema.INSERTED)
CLAIMED: Final = ", ".join(schema.CLAIMED).replace("key,", "seq,", 1)
LOADED: Final = ", ".join(schema.LOADED).replace("key,", "seq,", 1)
SAVED: Final = ", ".join(schema.SAVED)
RECORDED: Final = ", ".join(schema.RECORDED)


def _marks(columns: str) -> str:
    return ", ".join("?" * len(columns.split(",")))


# Nothing → waiting or ready. A known id, or a taken unique slot, changes nothing.
INSERT: Final = f"INSERT INTO @task ({INSERTED}) VALUES ({_marks(INSERTED)}) ON CONFLICT DO NOTHING"

LAST_SEQ: Final = "SELECT max(seq) FROM @task"

AFTER_SEQ: Final = "SELECT id FROM @task WHERE seq > ?"

KNOWN: Final = "SELECT id FROM @task WHERE id IN (SELECT value FROM json_each(?))"

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

LEASE: Final = "SELECT expires FROM @worker WHERE id = ?"

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

# What every claim has to know, in one round trip.
GLANCE: Final = f"SELECT ({LEASE}), ({HAS_EXPIRED}), ({FIRST_WAITING})"

READY_GROUPS: Final = f"SELECT ({NEXT_READY_GROUP}), ({NEXT_READY_GROUP})"

WAITING_OF: Final = f"SELECT ({FIRST_WAITING_OF_GROUP}), ({NEXT_WAITING_GROUP})"

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

# ---- workers

ENTER: Final = """
INSERT OR REPLACE INTO @worker (id, info, registered, expires, mark, stopped)
VALUES (?, ?, ?, ?, ?, '[]')
"""

WORKER: Final = "SELECT mark, stopped FROM @worker WHERE id = ? AND expires > ?"

RENEW: Final = "UPDATE @worker SET expires = max(expires, ?), mark = ? WHERE id = ?"

LEAVE: Final = "DELETE FROM @worker WHERE id = ?"

WORKERS: Final = """
SELECT id, info, registered, expires,
    (SELECT count(*) FROM @task WHERE state = 3 AND worker_id = w.id)
FROM @worker w ORDER BY expires, id
"""

STOPPED: Final = "SELECT id, stopped FROM @worker ORDER BY id"

STOP: Final = "UPDATE @worker SET stopped = ? WHERE id = ?"

LEASES: Final = "SELECT id, expires FROM @worker ORDER BY expires, id"

RUNNING: Final = "SELECT id, token, cancelling FROM @task WHERE state = 3 AND worker_id = ?"

REPORT: Final = "UPDATE @task SET progress = ? WHERE id = ? AND state = 3 AND worker_id = ?"

# ---- rates, turns, discards

FORGET_CLAIMS: Final = "DELETE FROM @rate WHERE grp = ? AND at <= ?"

# A clock that was set back must not close a group for longer than one period.
SET_BACK_CLAIMS: Final = "UPDATE @rate SET at = ? WHERE grp = ? AND at > ?"

CLAIMS: Final = "SELECT at, claims FROM @rate WHERE grp = ? ORDER BY at"

LOG_RATE: Final = "INSERT INTO @rate (grp, at, claims) VALUES (?, ?, ?)"

LAST_SERVED: Final = "SELECT grp FROM @turn WHERE want = ?"

REMEMBER_SERVED: Final = "INSERT OR REPLACE INTO @turn (want, grp) VALUES (?, ?)"

NOTE_DISCARD: Final = "INSERT OR IGNORE INTO @discard (id, token, at) VALUES (?, ?, ?)"

WAS_DISCARDED: Final = "SELECT 1 FROM @discard WHERE id = ? AND token = ?"

FORGET_DISCARDS: Final = "DELETE FROM @discard WHERE at <= ?"

# ---- schedules

SCHEDULE: Final = "SELECT version, state FROM @schedule WHERE name = ?"

FIRST_ADVANCE: Final = """
INSERT INTO @schedule (version, state, name) VALUES (1, ?, ?) ON CONFLICT DO NOTHING
"""

ADVANCE: Final = """
UPDATE @schedule SET version = version + 1, state = ? WHERE name = ? AND version = ?
"""

# ---- pauses and limits

PAUSES: Final = "SELECT grp, until FROM @pause"

LIMITS: Final = f"SELECT {', '.join(schema.LIMITED)} FROM @limits"

PAUSE: Final = "INSERT OR REPLACE INTO @pause (grp, until) VALUES (?, ?)"

RESUME: Final = "DELETE FROM @pause WHERE grp = ?"

RESUME_ALL: Final = "DELETE FROM @pause"

LIMIT: Final = f"""
INSERT OR REPLACE INTO @limits ({", ".join(schema.LIMITED)}) VALUES (?, ?, ?, ?, ?)
"""

UNLIMIT: Final = "DELETE FROM @limits WHERE grp = ?"

FORGET_RATE: Final = "DELETE FROM @rate WHERE grp = ?"

# ---- looking

RECORDS: Final = f"SELECT {RECORDED} FROM @task WHERE id IN (SELECT value FROM json_each(?))"

UNFINISHED: Final = """
SELECT id FROM @task WHERE done IS NULL AND id IN (SELECT value FROM json_each(?))
"""

# Each part reads one partial index: what has finished is counted in the index that purges use,
# not in the rows with their payloads.
COUNTS: Final = """
SELECT grp, 0, due > ?, count(*), min(due) FROM @task WHERE state = 0 @groups GROUP BY grp, due > ?
UNION ALL
SELECT grp, 1, due > ?, count(*), min(due) FROM @task WHERE state = 1 @groups GROUP BY grp, due > ?
UNION ALL
SELECT grp, 2, due > ?, count(*), min(due) FROM @task
    WHERE lock_key IS NOT NULL AND state = 2 @groups GROUP BY grp, due > ?
UNION ALL
SELECT grp, 3, 0, count(*), min(due) FROM @task WHERE state = 3 @groups GROUP BY grp
UNION ALL
SELECT grp, state, 0, count(*), min(due) FROM @task
    WHERE purge_at IS NOT NULL @groups GROUP BY grp, state
"""

NEXT_FINISHED: Final = """
SELECT grp, state FROM @task WHERE purge_at IS NOT NULL AND (grp, state) > (?, ?)
ORDER BY grp, state LIMIT 1
"""

PURGEABLE: Final = """
SELECT seq, id FROM @task WHERE purge_at IS NOT NULL AND grp = ? AND state = ?
    AND purge_at <= ? AND done <= ? LIMIT ?
"""

# ---- the store's one row

BEGUN: Final = "SELECT wakes, controls FROM @store"

DRAW: Final = "UPDATE @store SET claims = claims + 1 RETURNING claims"

WAKE: Final = "UPDATE @store SET wakes = wakes + 1 RETURNING wakes"

STEER: Final = "UPDATE @store SET controls = controls + 1"

STEERED: Final = "SELECT controls FROM @store"
