"""The statements of PostgreSQL off the hot path: workers, schedules, limits, looks.

As in ``texts``, ``@`` stands for the prefix of the tables.
"""

from __future__ import annotations

from typing import Final

from taskkit_relational.dialects.postgres.texts import LIMITED, RECORDED

# ruff: noqa: S608 - what is formatted in are the lists of columns; data is always bound

# ---- workers

ENTER: Final = """
INSERT INTO @worker (id, info, registered, expires, mark) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET info = excluded.info, registered = excluded.registered,
    expires = excluded.expires, mark = excluded.mark, stopped = '[]'
"""

# Returns what was before, which RETURNING alone could not before PostgreSQL 18.
RENEW: Final = """
WITH before AS (
    SELECT id, mark, stopped FROM @worker WHERE id = %s AND expires > %s FOR UPDATE)
UPDATE @worker AS w SET expires = greatest(w.expires, %s), mark = %s
FROM before WHERE w.id = before.id RETURNING before.mark, before.stopped
"""

LEAVE: Final = "DELETE FROM @worker WHERE id = %s"

WORKERS: Final = """
SELECT id, info, registered, expires,
    (SELECT count(*) FROM @task WHERE state = 3 AND worker_id = w.id)
FROM @worker AS w ORDER BY expires, id
"""

STOPPED: Final = "SELECT id, stopped FROM @worker ORDER BY id FOR UPDATE"

STOP: Final = "UPDATE @worker SET stopped = %s WHERE id = %s"

LEASES: Final = "SELECT id, expires FROM @worker ORDER BY expires, id"

NEXT_RUNNING_WORKER: Final = """
SELECT worker_id FROM @task WHERE state = 3 AND worker_id > %s ORDER BY worker_id LIMIT 1
"""

RUNNING: Final = "SELECT id, token, cancelling FROM @task WHERE state = 3 AND worker_id = %s"

REPORT: Final = """
UPDATE @task AS t SET progress = s.progress
FROM unnest(%s::text[], %s::bytea[]) AS s (id, progress)
WHERE t.id = s.id AND t.state + 0 = 3 AND t.worker_id = %s
"""

# ---- schedules

SCHEDULE: Final = "SELECT version, state FROM @schedule WHERE name = %s"

FIRST_ADVANCE: Final = """
INSERT INTO @schedule (version, state, name) VALUES (1, %s, %s) ON CONFLICT DO NOTHING
"""

ADVANCE: Final = """
UPDATE @schedule SET version = version + 1, state = %s WHERE name = %s AND version = %s
"""

# ---- pauses and limits

PAUSES: Final = "SELECT grp, until FROM @pause"

LIMITS: Final = f"SELECT {LIMITED} FROM @limits"

PAUSE: Final = """
INSERT INTO @pause (grp, until) VALUES (%s, %s)
ON CONFLICT (grp) DO UPDATE SET until = excluded.until
"""

RESUME: Final = "DELETE FROM @pause WHERE grp = %s"

RESUME_ALL: Final = "DELETE FROM @pause"

LIMIT: Final = f"""
INSERT INTO @limits ({LIMITED}) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (grp) DO UPDATE SET max_running = excluded.max_running,
    rate_limit = excluded.rate_limit, rate_period = excluded.rate_period,
    max_queue_size = excluded.max_queue_size
"""

UNLIMIT: Final = "DELETE FROM @limits WHERE grp = %s"

FORGET_RATE: Final = "DELETE FROM @rate WHERE grp = %s"

STEER: Final = "UPDATE @store SET controls = controls + 1"

STEERED: Final = "SELECT controls FROM @store"

# ---- looking

RECORDS: Final = f"SELECT {RECORDED} FROM @task WHERE id = ANY(%s::text[])"

# What is asked for stands in `find`: any mixture of conditions.
FIND: Final = f"SELECT {RECORDED} FROM @task WHERE #where ORDER BY #order LIMIT %s"

UNFINISHED: Final = "SELECT id FROM @task WHERE state < 4 AND id = ANY(%s::text[])"

# Each part reads one partial index: what has finished is counted in the index that purges use,
# not in the rows with their payloads.
COUNTS: Final = """
SELECT grp, 0, due > %s, count(*), min(due) FROM @task WHERE state = 0 #groups GROUP BY 1, 3
UNION ALL
SELECT grp, 1, due > %s, count(*), min(due) FROM @task WHERE state = 1 #groups GROUP BY 1, 3
UNION ALL
SELECT grp, 2, due > %s, count(*), min(due) FROM @task
    WHERE lock_key IS NOT NULL AND state = 2 #groups GROUP BY 1, 3
UNION ALL
SELECT grp, 3, false, count(*), min(due) FROM @task WHERE state = 3 #groups GROUP BY 1
UNION ALL
SELECT grp, state, false, count(*), min(due) FROM @task
    WHERE purge_at IS NOT NULL #groups GROUP BY 1, 2
"""

NEXT_FINISHED: Final = """
SELECT grp, state FROM @task WHERE purge_at IS NOT NULL AND (grp, state) > (%s, %s)
ORDER BY grp, state LIMIT 1
"""

PURGEABLE: Final = """
SELECT id, id FROM @task WHERE purge_at IS NOT NULL AND grp = %s AND state = %s
    AND purge_at <= %s AND done <= %s ORDER BY purge_at LIMIT %s FOR UPDATE SKIP LOCKED
"""

# ---- the house

# Of this very moment, not of the transaction's beginning.
# A double tells microseconds exactly until 2106; `extract` counts with decimal places, which takes
# longer than looking at an index.
CLOCK: Final = "(date_part('epoch', clock_timestamp()) * 1000000)::bigint"
NOW: Final = f"SELECT {CLOCK}"

# What changes when something may have become claimable, for those who cannot be told: pauses and
# limits; the first ready task of each of the first 200 groups that have any, found by a seek for
# each; how many run where that is limited; what waits longest, and how much is due.
SIGN: Final = f"""
WITH RECURSIVE ready (n, grp) AS (
    SELECT 1, (SELECT grp FROM @task WHERE state = 1 ORDER BY grp LIMIT 1)
    UNION ALL
    SELECT n + 1, (
        SELECT t.grp FROM @task AS t WHERE t.state = 1 AND t.grp > ready.grp ORDER BY t.grp LIMIT 1)
    FROM ready WHERE ready.grp IS NOT NULL AND n < 200),
firsts (id) AS (
    SELECT (SELECT t.id FROM @task AS t WHERE t.state = 1 AND t.grp = ready.grp
        ORDER BY t.priority DESC, t.due, t.id LIMIT 1)
    FROM ready WHERE ready.grp IS NOT NULL)
SELECT (SELECT controls FROM @store), (SELECT md5(string_agg(id, ' ')) FROM firsts),
    (SELECT sum(1) FROM @limits AS l JOIN @task AS t ON t.grp = l.grp
        WHERE l.max_running IS NOT NULL AND t.state = 3),
    (SELECT due FROM @task WHERE state = 0 ORDER BY due LIMIT 1),
    (SELECT count(*) FROM (SELECT 1 FROM @task WHERE state = 0 AND due <= ({NOW})
        ORDER BY due LIMIT 100) AS late)
"""

# A part of a table at a time, by its key, so that no statement runs into a timeout.
CLEAR_TASKS: Final = """
WITH gone AS (
    DELETE FROM @task WHERE id = ANY(
        ARRAY(SELECT id FROM @task WHERE id > %s ORDER BY id LIMIT %s)) RETURNING id)
SELECT max(id) FROM gone
"""
