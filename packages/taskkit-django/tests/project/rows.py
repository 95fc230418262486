"""A million tasks, made by the database itself."""

from django.db import connection

MILLION = 1_000_000
HOUR = 3_600_000_000
NOW = 1_800_000_000_000_000

# Of a thousand tasks, how many are in each state; n is the task's number.
MIXED = """CASE WHEN n % 1000 < 880 THEN 4 WHEN n % 1000 < 940 THEN 1 WHEN n % 1000 < 960 THEN 0
    WHEN n % 1000 < 975 THEN 2 WHEN n % 1000 < 985 THEN 5 WHEN n % 1000 < 990 THEN 7
    WHEN n % 1000 < 991 THEN 6 WHEN n < 200000 THEN 3 ELSE 4 END"""
SHAPES = {
    "mixed": (MIXED, "'g' || (n % 300)"),
    "all failed": ("5", "'g' || (n % 300)"),
    "all queued, many groups": ("1", "'g.' || (n % 20000)"),
    "a few old ones": ("CASE WHEN n < 30 THEN n % 8 ELSE 4 END", "'g' || (n % 10)"),
}

_INSERT = """
INSERT INTO taskkit_task (id, state, grp, name, priority, due, created, retention, token, attempt,
    retry_count, losses, cancelling, worker_id, began, done, purge_at, lock_key, lock_limit,
    labels, failure, data)
WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < {most} - 1),
made AS (SELECT n, {state} AS state, {group} AS grp FROM number)
SELECT grp || printf('_%032x', n), state, grp, 'shop.tasks.t' || (n % 50), n % 7, {now} + n * 1000,
    {now}, 604800000000, n, 1, 0, 0, 0, CASE WHEN state = 3 THEN 'w' || (n % 40) END,
    CASE WHEN state > 2 THEN {now} + n END, CASE WHEN state > 3 THEN {now} + n + 5 END,
    CASE WHEN state > 3 THEN {now} + n + 604800000005 END,
    CASE WHEN state = 2 OR n % 100 = 0 THEN 'lock' || (n % 10) END, 1, NULL,
    CASE WHEN state > 4 THEN '["ValueError", "no such thing", "Traceback: …"]' END,
    CAST('{{"to": "a@b.c", "password": "hunter2"}}' AS BLOB)
FROM made
"""


def fill(shape, most=MILLION):
    state, group = SHAPES[shape]
    with connection.cursor() as cursor:
        # Indexes are built in a third of the time after the rows.
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL "
            "AND tbl_name = 'taskkit_task'"
        )
        indexes = cursor.fetchall()
        for name, _sql in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute(_INSERT.format(state=state, group=group, now=NOW, most=most))
        for _name, sql in indexes:
            cursor.execute(sql)
        cursor.execute("SELECT count(*) FROM taskkit_task")
        assert cursor.fetchone()[0] == most


def empty():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM taskkit_task")
