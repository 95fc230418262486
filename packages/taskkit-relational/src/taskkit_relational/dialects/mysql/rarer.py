"""The statements of MySQL and MariaDB off the hot path: workers, schedules, limits, looks.

As in ``texts``, ``@`` stands for the prefix of the tables and ``#ids`` for a list of parameters.
"""

from __future__ import annotations

from typing import Final

from taskkit_relational.dialects.mysql.texts import GRP, ID, RECORDED

# ruff: noqa: S608 - what is formatted in are the lists of columns; data is always bound

# ---- workers

ENTER: Final = """
INSERT INTO @worker (id, info, registered, expires, mark, stopped) VALUES (%s, %s, %s, %s, %s, '[]')
ON DUPLICATE KEY UPDATE info = %s, registered = %s, expires = %s, mark = %s, stopped = '[]'
"""

LIVING: Final = "SELECT mark, stopped FROM @worker WHERE id = %s AND expires > %s FOR UPDATE"

RENEW: Final = "UPDATE @worker SET expires = greatest(expires, %s), mark = %s WHERE id = %s"

LEAVE: Final = "DELETE FROM @worker WHERE id = %s"

WORKERS: Final = f"""
SELECT {ID}, info, registered, expires,
    (SELECT count(*) FROM @task AS t FORCE INDEX (by_runner) WHERE t.runner = w.id)
FROM @worker AS w ORDER BY expires, id
"""

STOPPED: Final = f"SELECT {ID}, stopped FROM @worker FORCE INDEX (PRIMARY) ORDER BY id FOR UPDATE"

STOP: Final = "UPDATE @worker SET stopped = %s WHERE id = %s"

LEASES: Final = f"SELECT {ID}, expires FROM @worker ORDER BY expires, id"

NEXT_RUNNING_WORKER: Final = """
SELECT CONVERT(runner USING utf8mb4) FROM @task FORCE INDEX (by_runner) WHERE runner > %s
ORDER BY runner LIMIT 1
"""

RUNNING: Final = f"""
SELECT {ID}, token, cancelling FROM @task FORCE INDEX (by_runner) WHERE runner = %s
"""

REPORT: Final = """
UPDATE (#rows) AS n STRAIGHT_JOIN @task AS t FORCE INDEX (PRIMARY) ON t.id = n.id
SET t.progress = n.progress
WHERE t.state = 3 AND t.worker_id = %s
"""

REPORT_ONE: Final = """
UPDATE @task FORCE INDEX (PRIMARY) SET progress = %s WHERE id = %s AND state = 3 AND worker_id = %s
"""

# ---- schedules

SCHEDULE: Final = "SELECT version, state FROM @schedule WHERE name = %s"

# IGNORE: nothing is cut short here, names and versions have been checked.
FIRST_ADVANCE: Final = "INSERT IGNORE INTO @schedule (version, state, name) VALUES (1, %s, %s)"

ADVANCE: Final = """
UPDATE @schedule SET version = version + 1, state = %s WHERE name = %s AND version = %s
"""

# ---- pauses and limits

PAUSES: Final = f"SELECT {GRP}, until FROM @pause"

LIMITS: Final = f"SELECT {GRP}, max_running, rate_limit, rate_period, max_queue_size FROM @limits"

PAUSE: Final = "INSERT INTO @pause (grp, until) VALUES (%s, %s) ON DUPLICATE KEY UPDATE until = %s"

RESUME: Final = "DELETE FROM @pause WHERE grp = %s"

RESUME_ALL: Final = "DELETE FROM @pause"

LIMIT: Final = """
INSERT INTO @limits (grp, max_running, rate_limit, rate_period, max_queue_size)
VALUES (%s, %s, %s, %s, %s)
ON DUPLICATE KEY UPDATE max_running = %s, rate_limit = %s, rate_period = %s, max_queue_size = %s
"""

UNLIMIT: Final = "DELETE FROM @limits WHERE grp = %s"

FORGET_RATE: Final = "DELETE FROM @rate WHERE grp = %s"

STEER: Final = "UPDATE @store SET controls = controls + 1 WHERE one = 1"

STEERED: Final = "SELECT controls FROM @store WHERE one = 1"

# ---- looking

RECORDS: Final = f"SELECT {RECORDED} FROM @task FORCE INDEX (PRIMARY) WHERE id IN (#ids)"

# Along the ids: what is asked for is likely to come soon.
FIND: Final = f"""
SELECT {RECORDED} FROM @task FORCE INDEX (PRIMARY) WHERE #where ORDER BY id LIMIT %s
"""

# Few stand in these states, however many have succeeded: they are better sorted than looked for.
FIND_FEW: Final = f"""
SELECT {RECORDED} FROM (
    SELECT id AS chosen FROM @task FORCE INDEX (by_place) WHERE #where ORDER BY id LIMIT %s
) AS few STRAIGHT_JOIN @task FORCE INDEX (PRIMARY) ON id = chosen ORDER BY id
"""

# Broken JSON has no label. A part of an object is compared by key and by type: true is not 1.
HAS_LABEL: Final = """
CASE WHEN json_valid(labels) THEN json_type(labels) = 'OBJECT' AND json_contains(labels, ?)
    ELSE 0 END = 1
"""

UNFINISHED: Final = f"""
SELECT {ID} FROM @task FORCE INDEX (PRIMARY) WHERE id IN (#ids) AND state < 4
"""

# In the index alone, without a look at rows with their payloads.
COUNTS: Final = f"""
SELECT {GRP}, state, state < 3 AND due > %s AS late, count(*), min(due)
FROM @task FORCE INDEX (by_place) WHERE state BETWEEN 0 AND 7 #groups GROUP BY state, grp, late
"""

# One seek in one state.
NEXT_FINISHED: Final = f"""
(SELECT {GRP}, state FROM @task FORCE INDEX (by_place) WHERE state = #state AND grp #behind %s
ORDER BY grp LIMIT 1)
"""

PURGEABLE: Final = f"""
SELECT {ID}, {ID} FROM @task FORCE INDEX (by_place)
WHERE state = %s AND grp = %s AND place_rank = 0 AND place_at <= %s AND done <= %s
ORDER BY place_at LIMIT %s FOR UPDATE SKIP LOCKED
"""

# ---- the house

# Of this statement's beginning. Not by unix_timestamp: that goes through the session's time zone,
# in which an hour comes twice every autumn.
CLOCK: Final = "timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(6))"
NOW: Final = f"SELECT {CLOCK}"

BEGUN: Final = f"{NOW}, controls FROM @store WHERE one = 1"

# A part of a table at a time, so that no statement runs into a timeout.
CLEAR: Final = "DELETE FROM @task LIMIT 20000"

# What changes when something may have become claimable: for each group with ready tasks the first
# of them and, where the group is limited, how many run; what waits longest, and how much is due.
# Pauses and limits too. Groups beyond the first 200 are noticed when others have gone. (To sort by
# what is the same for all is how MySQL is told that the index has that order.)
SIGN: Final = """
SELECT concat_ws(' ', s.controls, r.many, coalesce(r.mixed, 0),
    coalesce(
        (SELECT min(due_or_end) FROM @task FORCE INDEX (by_waiting) WHERE due_or_end >= 0), 0),
    (SELECT count(*) FROM (SELECT 1 FROM @task FORCE INDEX (by_waiting)
        WHERE due_or_end BETWEEN 0
            AND timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(6))
        LIMIT 100) AS due))
FROM @store AS s CROSS JOIN (
    SELECT count(*) AS many, bit_xor(crc32(concat(
        (SELECT f.id FROM @task AS f FORCE INDEX (by_place) WHERE f.state = 1 AND f.grp = g.grp
            ORDER BY f.state, f.grp, f.place_rank, f.place_at, f.due, f.id LIMIT 1),
        ' ',
        CASE WHEN l.max_running IS NULL THEN 0 ELSE
            (SELECT count(*) FROM @task AS x FORCE INDEX (by_place)
                WHERE x.state = 3 AND x.grp = g.grp) END))) AS mixed
    FROM (SELECT grp FROM @task FORCE INDEX (by_place) WHERE state = 1
        GROUP BY state, grp LIMIT 200) AS g
    LEFT JOIN @limits AS l ON l.grp = g.grp
) AS r
WHERE s.one = 1
"""
