"""The statements of MySQL and MariaDB, one transition or one look each.

``@`` stands for the prefix of the tables, ``#ids`` for a list of parameters. Every statement that
locks names its index: left to itself the optimizer may walk through a small table, lock what it
meets there, and wait for it.

Rows that others change at the same time are found without locks and then locked by their id,
except where a claim or a purge finds them: those wait for nobody afterwards, so what they hold
of an index does no harm. Whoever locks an entry of an index and then waits for its row can meet
someone who has the row and wants to change the entry.
"""

from __future__ import annotations

from typing import Final

from taskkit_relational import schema

# ruff: noqa: S608 - what is formatted in are the lists of columns here; data is always bound

_BYTES: Final = {"id", "grp", "name", "worker_id", "unique_key", "unique_slot", "lock_key"}
"""Texts that are stored as bytes; they are to come back as texts."""


def _told(columns: tuple[str, ...]) -> str:
    names = ("id" if column == "key" else column for column in columns)
    return ", ".join(f"CONVERT({name} USING utf8mb4)" if name in _BYTES else name for name in names)


CLAIMED: Final = _told(schema.CLAIMED)
LOADED: Final = _told(schema.LOADED)
RECORDED: Final = _told(schema.RECORDED)
ID: Final = _told(("id",))
GRP: Final = _told(("grp",))

# ---- putting

# Nothing → waiting or ready. A known id is an error, and then no row of the statement went in.
INSERT: Final = "INSERT INTO @task (#columns) VALUES #rows"

KNOWN: Final = f"SELECT {ID} FROM @task FORCE INDEX (PRIMARY) WHERE id IN (#ids)"

# In a caller's transaction at REPEATABLE READ only a locking look sees the present.
KNOWN_NOW: Final = f"{KNOWN} LOCK IN SHARE MODE"

# Counts no further than it matters.
UNCLAIMED: Final = """
SELECT count(*) FROM (
    SELECT 1 FROM @task FORCE INDEX (by_place) WHERE state IN (0, 1, 2) AND grp = %s LIMIT %s
) AS some
"""

# ---- unique keys

# An entry counts only while its task says that it holds the slot: whoever frees a slot changes
# nothing here, and so never waits for those who want it.
_HELD: Final = """
FROM @slot AS s FORCE INDEX (PRIMARY)
STRAIGHT_JOIN @task AS t FORCE INDEX (PRIMARY) ON t.id = s.id AND t.unique_slot = s.slot
WHERE #slots
"""

_SLOT: Final = "CONVERT(s.grp USING utf8mb4), CONVERT(s.slot USING utf8mb4)"
_HOLDER: Final = "CONVERT(s.id USING utf8mb4)"

# Each server has its own name for it, and reads only that one.
_ISOLATION: Final = "/*!50701 @@transaction_isolation */ /*M! @@tx_isolation */"

# Beside the holders, how much of the present this transaction sees.
HOLDERS: Final = f"""
SELECT {_SLOT}, {_HOLDER} {_HELD} UNION ALL SELECT NULL, NULL, {_ISOLATION}
"""

# In a caller's transaction at REPEATABLE READ only a locking look sees the present.
HOLDERS_NOW: Final = f"SELECT {_SLOT}, {_HOLDER} {_HELD} LOCK IN SHARE MODE"

# Adds the entries that are missing and locks all of them, in one pass. Not IGNORE: two that find
# the remains of one that was just removed would share a lock on it, and each would wait for the
# other's end. (Where two wait for an entry that is being removed for good with its task, and the
# server tidies up in that very moment, they can still deadlock. One of them begins anew.)
LOCK_SLOTS: Final = "INSERT INTO @slot (grp, slot, id) VALUES #rows ON DUPLICATE KEY UPDATE id = id"

# Entries that are locked, with their tasks' ids, to whomever else they stand for.
HAND_OVER: Final = """
UPDATE (#rows) AS n STRAIGHT_JOIN @slot AS s FORCE INDEX (PRIMARY)
    ON s.grp = n.grp AND s.slot = n.slot
SET s.id = n.id
"""

# An error where the entry exists.
ADD_SLOT: Final = "INSERT INTO @slot (grp, slot, id) VALUES (%s, %s, %s)"

HOLDING: Final = f"""
SELECT {ID} FROM @task FORCE INDEX (PRIMARY) WHERE id IN (#ids) AND unique_slot IS NOT NULL
"""

# A claim frees the unique key of scope "queued".
FREE_SLOTS: Final = """
UPDATE @task FORCE INDEX (PRIMARY) SET unique_slot = NULL WHERE id IN (#ids)
"""

KEYS_OF: Final = f"""
SELECT {GRP}, CONVERT(unique_key USING utf8mb4), {ID} FROM @task FORCE INDEX (PRIMARY)
WHERE id IN (#ids) AND unique_key IS NOT NULL
"""

LEFT_SLOTS: Final = f"""
SELECT {_SLOT} FROM @slot AS s FORCE INDEX (PRIMARY) WHERE #slots FOR UPDATE SKIP LOCKED
"""

REMOVE_SLOTS: Final = "DELETE s FROM @slot AS s FORCE INDEX (PRIMARY) WHERE #slots"

# ---- claiming

LEASE: Final = "SELECT expires FROM @worker WHERE id = %s LOCK IN SHARE MODE"

DRAW: Final = "INSERT INTO @token VALUES ()"

SPENT: Final = """
SELECT n FROM @token FORCE INDEX (PRIMARY) WHERE n < %s ORDER BY n LIMIT %s
FOR UPDATE SKIP LOCKED
"""

FORGET_TOKENS: Final = "DELETE t FROM @token AS t FORCE INDEX (PRIMARY) WHERE n IN (#ids)"

CLOSE: Final = """
SELECT n FROM @gate FORCE INDEX (PRIMARY) WHERE n IN (#ids) ORDER BY n FOR UPDATE
"""

CLOSE_OPEN: Final = f"{CLOSE} SKIP LOCKED"

FIRST_WAITING: Final = """
SELECT min(due_or_end) FROM @task FORCE INDEX (by_waiting) WHERE due_or_end >= 0
"""

LATE: Final = f"""
SELECT {ID} FROM @task FORCE INDEX (by_waiting) WHERE due_or_end BETWEEN 0 AND %s
ORDER BY due_or_end LIMIT %s FOR UPDATE SKIP LOCKED
"""

LATE_OF_GROUP: Final = f"""
SELECT {ID} FROM @task FORCE INDEX (by_place) WHERE state = 0 AND grp = %s AND place_rank = 0
    AND place_at <= %s
ORDER BY place_at LIMIT %s FOR UPDATE SKIP LOCKED
"""

# Waiting or parked → ready.
MAKE_READY: Final = "UPDATE @task FORCE INDEX (PRIMARY) SET state = 1 WHERE id IN (#ids)"

FIRST_WAITING_OF_GROUP: Final = """
SELECT min(place_at) FROM @task FORCE INDEX (by_place)
WHERE state = 0 AND grp = %s AND place_rank = 0
"""

SOONEST: Final = f"""
SELECT due_or_end, {GRP} FROM @task FORCE INDEX (by_waiting) WHERE due_or_end >= 0
ORDER BY due_or_end LIMIT %s
"""

# One step of a loose scan: a seek, however many tasks the groups between hold.
NEXT_READY_GROUP: Final = f"""
SELECT {GRP} FROM @task FORCE INDEX (by_place) WHERE state = 1 AND grp >= %s AND grp < %s
ORDER BY grp LIMIT 1
"""

NEXT_WAITING_GROUP: Final = f"""
SELECT {GRP} FROM @task FORCE INDEX (by_place) WHERE state = 0 AND grp >= %s AND grp < %s
ORDER BY grp LIMIT 1
"""

# The first of the next lower priority: a seek, however many are ready. As one statement with all
# priorities MariaDB would walk through the group.
NEXT_RANK: Final = """
SELECT place_rank, place_at FROM @task FORCE INDEX (by_place)
WHERE state = 1 AND grp = %s AND place_rank > %s ORDER BY place_rank, place_at LIMIT 1
"""

HAS_EXPIRED: Final = """
SELECT 1 FROM @task FORCE INDEX (by_expiry) WHERE open_expires <= %s LIMIT 1
"""

# What every claim has to know, in one round trip.
GLANCE: Final = f"SELECT ({LEASE}), ({HAS_EXPIRED}), ({FIRST_WAITING})"

READY_GROUPS: Final = f"SELECT ({NEXT_READY_GROUP}), ({NEXT_READY_GROUP})"

WAITING_OF: Final = f"SELECT ({FIRST_WAITING_OF_GROUP}), ({NEXT_WAITING_GROUP})"

_CANDIDATES: Final = """
FROM @task FORCE INDEX (by_place) WHERE state = 1 AND grp = %s AND due <= %s
ORDER BY place_rank, place_at, due, id LIMIT %s FOR UPDATE SKIP LOCKED
"""

# The candidates of a claim, in claim order. `due` again: the clock may have stepped back.
READY: Final = f"SELECT {CLAIMED} {_CANDIDATES}"

# The same with no more than a plain task has, and whether it is one: the driver needs as long for
# an empty column as for one that says something.
READY_PLAIN: Final = f"""
SELECT {ID}, CONVERT(name USING utf8mb4), data, due, created, priority, retention,
    retry_count + attempt + losses = 0 AND lock_limit = 1 AND coalesce(
        expires, unique_key, unique_slot, lock_key, options, labels) IS NULL
{_CANDIDATES}
"""

WHOLE: Final = f"SELECT {CLAIMED} FROM @task FORCE INDEX (PRIMARY) WHERE id IN (#ids)"

# Ready → running.
TAKE: Final = """
UPDATE @task FORCE INDEX (PRIMARY) SET state = 3, token = %s, attempt = attempt + 1,
    worker_id = %s, began = %s, settled = NULL
WHERE id IN (#ids)
"""

RUNNING_OF_GROUP: Final = """
SELECT count(*) FROM @task FORCE INDEX (by_place) WHERE state = 3 AND grp = %s
"""

RUNNING_OF_LOCK: Final = """
SELECT count(*) FROM @task FORCE INDEX (by_lock)
WHERE grp = %s AND lock_key = %s AND lock_state = 3
"""

HELD_BACK: Final = f"""
SELECT {ID} FROM @task FORCE INDEX (by_lock)
WHERE grp = %s AND lock_key = %s AND lock_state = 1 AND lock_limit <= %s
LIMIT %s FOR UPDATE SKIP LOCKED
"""

# Ready → parked: all that a lock holds back leave the way of others at once.
PARK: Final = "UPDATE @task FORCE INDEX (PRIMARY) SET state = 2 WHERE id IN (#ids)"

# Who would be next of those that a lock holds back, and how many may run beside it.
NEXT_PARKED: Final = f"""
SELECT {ID}, lock_limit FROM @task FORCE INDEX (by_lock)
WHERE grp = %s AND lock_key = %s AND lock_state = 2 AND lock_limit > %s
ORDER BY lock_rank, due, id LIMIT %s
"""

STILL_PARKED: Final = f"""
SELECT {ID} FROM @task FORCE INDEX (PRIMARY) WHERE id IN (#ids) AND state = 2
FOR UPDATE SKIP LOCKED
"""

RATE_LOG: Final = """
SELECT n, at, claims FROM @rate FORCE INDEX (by_window) WHERE grp = %s ORDER BY at
"""

FORGET_CLAIMS: Final = "DELETE r FROM @rate AS r FORCE INDEX (PRIMARY) WHERE n IN (#ids)"

SET_BACK_CLAIMS: Final = """
UPDATE @rate FORCE INDEX (PRIMARY) SET at = %s WHERE n IN (#ids)
"""

LOG_RATE: Final = "INSERT INTO @rate (grp, at, claims) VALUES (%s, %s, %s)"

LAST_SERVED: Final = f"SELECT {GRP} FROM @turn WHERE want = %s"

# Where another claim is about to say the same, its word is as good: a claim never waits for one.
SERVED: Final = "SELECT 1 FROM @turn FORCE INDEX (PRIMARY) WHERE want = %s FOR UPDATE SKIP LOCKED"

REMEMBER_SERVED: Final = "UPDATE @turn FORCE INDEX (PRIMARY) SET grp = %s WHERE want = %s"

FIRST_SERVED: Final = "INSERT IGNORE INTO @turn (want, grp) VALUES (%s, %s)"

# ---- settling

# Running → succeeded, where nothing else has to be looked at. #result and #token are one
# parameter where they are the same for all, else a choice by the place of the id in a list.
SUCCEED: Final = """
UPDATE @task FORCE INDEX (PRIMARY) SET state = 4, settled = 1, done = %s,
    purge_at = %s + retention, result = #result
WHERE id IN (#ids) AND token = #token AND state = 3 AND cancelling = 0
    AND lock_key IS NULL AND unique_slot IS NULL
"""

LOAD: Final = f"""
SELECT {LOADED} FROM @task FORCE INDEX (PRIMARY) WHERE id IN (#ids) ORDER BY id FOR UPDATE
"""

RUNNING_IDS: Final = f"SELECT {ID} FROM @task FORCE INDEX (by_runner) WHERE runner = %s LIMIT %s"

LOAD_RUNNING: Final = f"""
SELECT {LOADED} FROM @task FORCE INDEX (PRIMARY) WHERE id IN (#ids) AND state = 3
    AND worker_id = %s
ORDER BY id FOR UPDATE
"""

EXPIRED_IDS: Final = f"""
SELECT {ID} FROM @task FORCE INDEX (by_expiry) WHERE open_expires <= %s
ORDER BY open_expires LIMIT %s
"""

LOAD_EXPIRED: Final = f"""
SELECT {LOADED} FROM @task FORCE INDEX (PRIMARY) WHERE id IN (#ids) AND state < 3
    AND expires <= %s
ORDER BY id FOR UPDATE SKIP LOCKED
"""

# Any state → any other: the row as Changes has decided.
SAVE: Final = "UPDATE @task FORCE INDEX (PRIMARY) SET #values WHERE id = %s"

# The same for many: #rows is a table of what differs between them, #values what does not.
SAVE_MANY: Final = """
UPDATE (#rows) AS n STRAIGHT_JOIN @task AS t FORCE INDEX (PRIMARY) ON t.id = n.id SET #values
"""

# Any state → nothing.
REMOVE: Final = "DELETE t FROM @task AS t FORCE INDEX (PRIMARY) WHERE id IN (#ids)"

NOTE_DISCARD: Final = """
INSERT INTO @discard (id, token, at) VALUES (%s, %s, %s) ON DUPLICATE KEY UPDATE at = at
"""

WAS_DISCARDED: Final = "SELECT 1 FROM @discard WHERE id = %s AND token = %s"

FORGET_DISCARDS: Final = "DELETE d FROM @discard AS d FORCE INDEX (by_time) WHERE at <= %s"
