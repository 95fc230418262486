"""The statements of PostgreSQL, one transition or one look each.

``@`` stands for the prefix of the tables, with the schema. Numbers of states are literals: only
then does a plan that serves all parameters use a partial index. Lists go in as arrays, so that
one prepared statement serves any length; the types stand beside the parameters, because drivers
disagree about them.

Rows that are to be changed are found and locked by a WITH query, then changed by their id: in a
subquery the planner might run the look, with its LIMIT, more than once.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from taskkit_relational import schema

# ruff: noqa: S608 - what is formatted in are the lists of columns here; data is always bound

INSERTED: Final = ", ".join(schema.INSERTED)
CLAIMED: Final = ", ".join(schema.CLAIMED).replace("key,", "id,", 1)
LOADED: Final = ", ".join(schema.LOADED).replace("key,", "id,", 1)
SAVED: Final = ", ".join(schema.SAVED)
RECORDED: Final = ", ".join(schema.RECORDED)
LIMITED: Final = ", ".join(schema.LIMITED)

_TYPES: Final = {
    "bigint": {"due", "created", "retention", "expires", "began", "done", "purge_at"},
    "integer": {"attempt", "retry_count", "losses", "lock_limit"},
    "smallint": {"state", "priority", "cancelling", "settled"},
    "bytea": {"data", "result"},
}
"""Of the columns that are no text."""


TYPE: Final = {column: kind for kind, of_kind in _TYPES.items() for column in of_kind}


def _arrays(columns: tuple[str, ...]) -> str:
    """Return a parameter for each column: all its values, in the order of the rows."""
    return ", ".join(f"%s::{TYPE.get(column, 'text')}[]" for column in columns)


# ---- putting

# Nothing → waiting or ready. A known id, or a taken unique slot, changes nothing.
INSERT: Final = f"""
INSERT INTO @task ({INSERTED}) VALUES ({", ".join(["%s"] * len(schema.INSERTED))})
ON CONFLICT DO NOTHING
"""


@cache
def insert_many(differing: tuple[str, ...]) -> str:
    """Return the statement for rows that differ in some columns.

    Its parameters are the values of the other columns, then an array for each that differs. The
    rows of an array come in its order, so the first of two that want the same slot gets it.
    """
    same = [column for column in schema.INSERTED if column not in differing]
    values = ", ".join(f"%s::{TYPE.get(column, 'text')}" for column in same)
    return f"""
        INSERT INTO @task ({", ".join([*same, *differing])})
        SELECT {values}, rows.* FROM unnest({_arrays(differing)}) AS rows
        ON CONFLICT DO NOTHING RETURNING id
    """


KNOWN: Final = "SELECT id FROM @task WHERE id = ANY(%s::text[])"

# One seek for each, never a look at all that are held.
HOLDERS: Final = """
SELECT s.grp, s.slot, holder.id FROM unnest(%s::text[], %s::text[]) AS s (grp, slot)
CROSS JOIN LATERAL (
    SELECT t.id FROM @task AS t
    WHERE t.grp = s.grp AND t.unique_slot = s.slot AND t.unique_slot IS NOT NULL LIMIT 1) AS holder
"""

# Counts no further than it matters. In the order of an index, so that none is gathered first.
UNCLAIMED: Final = """
SELECT count(*) FROM (SELECT 1 FROM (
    (SELECT 1 FROM @task WHERE grp = %s AND state = 1 ORDER BY priority DESC, due LIMIT %s)
    UNION ALL (SELECT 1 FROM @task WHERE grp = %s AND state = 0 ORDER BY due LIMIT %s)
    UNION ALL (SELECT 1 FROM @task WHERE grp = %s AND lock_key IS NOT NULL AND state = 2
        ORDER BY lock_key LIMIT %s)
) AS unclaimed LIMIT %s) AS counted
"""

# ---- claiming

LEASE: Final = "SELECT expires FROM @worker WHERE id = %s FOR SHARE"

DRAW: Final = "SELECT nextval('@token')"

CLOSE: Final = "SELECT n FROM @gate WHERE n = ANY(%s::integer[]) ORDER BY n FOR UPDATE"

CLOSE_OPEN: Final = f"{CLOSE} SKIP LOCKED"

FIRST_WAITING: Final = "SELECT due FROM @task WHERE state = 0 ORDER BY due LIMIT 1"

# Waiting → ready, the longest due first.
PROMOTE: Final = """
WITH late AS (
    SELECT id FROM @task WHERE state = 0 AND due <= %s
    ORDER BY due LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE @task AS t SET state = 1 FROM late WHERE t.id = late.id
"""

# Waiting → ready in one group.
PROMOTE_GROUP: Final = """
WITH late AS (
    SELECT id FROM @task WHERE state = 0 AND grp = %s AND due <= %s
    ORDER BY due LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE @task AS t SET state = 1 FROM late WHERE t.id = late.id
"""

FIRST_WAITING_OF_GROUP: Final = (
    "SELECT due FROM @task WHERE state = 0 AND grp = %s ORDER BY due LIMIT 1"
)

SOONEST: Final = "SELECT due, grp FROM @task WHERE state = 0 ORDER BY due LIMIT %s"

# One step of a loose scan: a seek, however many tasks the groups between hold.
NEXT_READY_GROUP: Final = (
    "SELECT grp FROM @task WHERE state = 1 AND grp >= %s AND grp < %s ORDER BY grp LIMIT 1"
)

NEXT_WAITING_GROUP: Final = (
    "SELECT grp FROM @task WHERE state = 0 AND grp >= %s AND grp < %s ORDER BY grp LIMIT 1"
)

# The index has the priority before the due: one seek for each priority there is, not a look at
# everything that is ready.
FIRST_READY: Final = """
WITH RECURSIVE first (priority, due) AS (
    (SELECT priority, due FROM @task WHERE state = 1 AND grp = %s
     ORDER BY priority DESC, due LIMIT 1)
    UNION ALL
    SELECT next.priority, next.due FROM first CROSS JOIN LATERAL (
        SELECT t.priority, t.due FROM @task AS t
        WHERE t.state = 1 AND t.grp = %s AND t.priority < first.priority
        ORDER BY t.priority DESC, t.due LIMIT 1) AS next)
SELECT min(due) FROM first
"""

HAS_EXPIRED: Final = """
SELECT 1 FROM @task WHERE expires IS NOT NULL AND state < 3 AND expires <= %s LIMIT 1
"""

# What every claim has to know, in one round trip.
GLANCE: Final = f"SELECT ({LEASE}), ({HAS_EXPIRED}), ({FIRST_WAITING})"

READY_GROUPS: Final = f"SELECT ({NEXT_READY_GROUP}), ({NEXT_READY_GROUP})"

WAITING_OF: Final = f"SELECT ({FIRST_WAITING_OF_GROUP}), ({NEXT_WAITING_GROUP})"

# The candidates of a claim, in claim order. `due` again: the clock may have stepped back.
READY: Final = f"""
SELECT {CLAIMED} FROM @task WHERE state = 1 AND grp = %s AND due <= %s
ORDER BY priority DESC, due, id LIMIT %s FOR UPDATE SKIP LOCKED
"""

# Ready → running.
TAKE: Final = """
UPDATE @task SET state = 3, token = %s, attempt = attempt + 1, worker_id = %s, began = %s,
    settled = NULL
WHERE id = ANY(%s::text[])
"""

# A claim frees the unique key of scope "queued".
FREE_SLOTS: Final = "UPDATE @task SET unique_slot = NULL WHERE id = ANY(%s::text[])"

RUNNING_OF_GROUP: Final = "SELECT count(*) FROM @task WHERE state = 3 AND grp = %s"

RUNNING_OF_LOCK: Final = "SELECT count(*) FROM @task WHERE grp = %s AND lock_key = %s AND state = 3"

# Ready → parked: all that a lock holds back leave the way of others at once.
PARK: Final = """
WITH held AS (
    SELECT id FROM @task WHERE grp = %s AND lock_key = %s AND state = 1 AND lock_limit <= %s
    LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE @task AS t SET state = 2 FROM held WHERE t.id = held.id
"""

# Parked → ready: in claim order, as many as may run beside those that run. That number is the
# lock limit of the next in turn.
UNPARK: Final = """
WITH next AS (
    SELECT lock_limit FROM @task WHERE grp = %s AND lock_key = %s AND state = 2
        AND lock_limit > %s ORDER BY priority DESC, due, id LIMIT 1),
free AS (
    SELECT id FROM @task WHERE grp = %s AND lock_key = %s AND state = 2 AND lock_limit > %s
    ORDER BY priority DESC, due, id LIMIT coalesce((SELECT lock_limit - %s FROM next), 0)
    FOR UPDATE SKIP LOCKED)
UPDATE @task AS t SET state = 1 FROM free WHERE t.id = free.id
"""

# What the window has left behind is forgotten; what lies ahead of it, because the clock was set
# back, must not close a group for longer than one period. The look does not see these changes:
# it makes them for itself.
RATE_LOG: Final = """
WITH gone AS (DELETE FROM @rate WHERE grp = %s AND at <= %s),
ahead AS (UPDATE @rate SET at = %s WHERE grp = %s AND at > %s)
SELECT least(at, %s), claims FROM @rate WHERE grp = %s AND at > %s ORDER BY 1
"""

LOG_RATE: Final = "INSERT INTO @rate (grp, at, claims) VALUES (%s, %s, %s)"

LAST_SERVED: Final = "SELECT grp FROM @turn WHERE want = %s"

# Where another claim is about to say the same, its word is as good: a claim never waits for one.
REMEMBER_SERVED: Final = """
WITH free AS (SELECT want FROM @turn WHERE want = %s FOR UPDATE SKIP LOCKED)
UPDATE @turn AS t SET grp = %s FROM free WHERE t.want = free.want
"""

# Only where there is none: ON CONFLICT alone would wait for whoever changes it.
FIRST_SERVED: Final = """
INSERT INTO @turn (want, grp)
SELECT %s, %s WHERE NOT EXISTS (SELECT 1 FROM @turn WHERE want = %s) ON CONFLICT DO NOTHING
"""

# ---- settling

# Running → succeeded, where nothing else has to be looked at. By id, whatever the statistics of a
# moment ago say: `+ 0` keeps the index of running tasks out of it, which would be joined row by
# row with all that is to be settled; and the ids stand there once more, or a plan that was made
# while there were few tasks would go through all that there are by now, for each that is settled.
SUCCEED: Final = """
UPDATE @task AS t SET state = 4, settled = 1, done = %s, purge_at = %s + t.retention,
    result = s.result
FROM unnest(%s::text[], %s::bigint[], %s::bytea[]) AS s (id, token, result)
WHERE t.id = ANY(%s::text[]) AND t.id = s.id AND t.token = s.token AND t.state + 0 = 3
    AND t.cancelling = 0 AND t.lock_key IS NULL AND t.unique_slot IS NULL
"""

LOAD: Final = f"SELECT {LOADED} FROM @task WHERE id = ANY(%s::text[]) ORDER BY id FOR UPDATE"

# By id, as everybody locks; the expression keeps the index of ids out of it, along which those of
# one worker would be looked for among all tasks.
LOAD_RUNNING: Final = f"""
SELECT {LOADED} FROM @task WHERE state = 3 AND worker_id = %s
ORDER BY id || '' LIMIT %s FOR UPDATE
"""

LOAD_EXPIRED: Final = f"""
SELECT {LOADED} FROM @task WHERE expires IS NOT NULL AND state < 3 AND expires <= %s
ORDER BY expires LIMIT %s FOR UPDATE SKIP LOCKED
"""

# Any state → any other: the row as Changes has decided.
SAVE: Final = f"""
UPDATE @task SET ({SAVED}) = ({", ".join(["%s"] * len(schema.SAVED))}) WHERE id = %s
"""

SAVE_MANY: Final = f"""
UPDATE @task AS t SET ({SAVED}) = ({", ".join(f"s.{column}" for column in schema.SAVED)})
FROM unnest({_arrays(schema.SAVED)}, %s::text[]) AS s ({SAVED}, id)
WHERE t.id = ANY(%s::text[]) AND t.id = s.id
"""

# Any state → nothing.
REMOVE: Final = "DELETE FROM @task WHERE id = ANY(%s::text[])"

NOTE_DISCARD: Final = (
    "INSERT INTO @discard (id, token, at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
)

WAS_DISCARDED: Final = "SELECT 1 FROM @discard WHERE id = %s AND token = %s"

FORGET_DISCARDS: Final = "DELETE FROM @discard WHERE at <= %s"
