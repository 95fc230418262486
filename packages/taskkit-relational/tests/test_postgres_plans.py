"""What PostgreSQL's statements cost on a full store: ranges of an index, nothing walked through.

Told by the plans, with the rows that they really visited; not by time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from postgrescase import NOW, Store, saved
from psycopg import sql

from taskkit_relational.dialects.postgres.planning import PLANNING
from taskkit_relational.statements import Search

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

_COLUMNS = "id, state, grp, name, priority, due, created, retention, data"

# So much that whoever walks through a part of it is found out.
_FINISHED = f"""
INSERT INTO tk_task ({_COLUMNS}, done, purge_at, settled, token, attempt, worker_id, labels)
SELECT 'mail_f' || n, 4, 'mail', 'send', 0, n, n, 10, '', n, n + 10, 1, 1, 1, 'w' || n % 3,
    '{{"a":1}}'
FROM generate_series(1, 20000) AS n
"""
_OTHERS = f"""
INSERT INTO tk_task ({_COLUMNS}, expires)
SELECT 'g' || n % 50 || '_w' || n, 0, 'g' || n % 50, 'send', 0, 10000000 + n, n, 10, '', 20000000
FROM generate_series(1, 5000) AS n;
INSERT INTO tk_task ({_COLUMNS})
SELECT 'mail_r' || n, 1, 'mail', 'send', n % 3, n % 100, n, 10, ''
FROM generate_series(1, 5000) AS n;
INSERT INTO tk_task ({_COLUMNS})
SELECT 'mail.s' || n % 100 || '_r' || n, 1, 'mail.s' || n % 100, 'send', 0, n, n, 10, ''
FROM generate_series(1, 1000) AS n;
INSERT INTO tk_task ({_COLUMNS}, lock_key)
SELECT 'mail_p' || n, 2, 'mail', 'send', 0, n, n, 10, '', 'k' FROM generate_series(1, 3000) AS n;
INSERT INTO tk_task ({_COLUMNS}, lock_key)
SELECT 'mail_l' || n, 1, 'mail', 'send', -9, n, n, 10, '', 'l' FROM generate_series(1, 1000) AS n;
INSERT INTO tk_task ({_COLUMNS}, unique_key, unique_slot)
SELECT 'mail_u' || n, 1, 'mail', 'send', -9, n, n, 10, '', 'u' || n, 'u' || n
FROM generate_series(1, 1000) AS n;
INSERT INTO tk_task ({_COLUMNS}, token, attempt, worker_id)
SELECT 'mail_x' || n, 3, 'mail', 'send', 0, n, n, 10, '', 7, 1, 'w' || n % 3
FROM generate_series(1, 600) AS n;
INSERT INTO tk_worker (id, info, registered, expires, mark)
SELECT 'w' || n, '[]', 1, 9, 0 FROM generate_series(0, 2) AS n
"""


class Listening:
    """A cursor that remembers what it runs."""

    def __init__(self, cursor):
        self._cursor = cursor
        self.ran = []

    def __getattr__(self, name):
        return getattr(self._cursor, name)

    def execute(self, text, values=()):
        self.ran.append((text, values))
        self._cursor.execute(text, values)


@pytest.fixture(scope="module")
def filled(postgres_server, request):
    """A full store whose statistics are none, old, or fresh; and how connections to it plan."""
    statistics, planning = request.param
    with postgres_server.database() as url, closing(Store(url)) as store:
        connection = store.first.connection
        connection.autocommit = True
        connection.execute("ALTER TABLE tk_task SET (autovacuum_enabled = false)")
        connection.execute(_FINISHED)
        if statistics == "old":
            connection.execute("ANALYZE")
        connection.execute(_OTHERS)
        if statistics == "fresh":
            connection.execute("ANALYZE")
        for name, value in planning.items():
            connection.execute(f"SET {name} = {value}")
        yield store


# On connections of taskkit's own whatever the statistics say; on others where they are fresh, as
# PostgreSQL sees to within a minute.
stores = pytest.mark.parametrize(
    "filled",
    [("none", PLANNING), ("old", PLANNING), ("fresh", PLANNING), ("fresh", {})],
    ids=["without statistics", "with old statistics", "with fresh statistics", "any client"],
    indirect=True,
    scope="module",
)


def explained(store, text, values) -> Iterator[dict]:
    """Yield each step of a statement's plan, after it was run and undone."""
    connection = store.first.connection
    parts = text.split("%s")
    numbered = "".join(f"{part}${n}" for n, part in enumerate(parts[:-1], 1)) + parts[-1]
    literals = ", ".join(sql.Literal(value).as_string(connection) for value in values)
    connection.execute(f"PREPARE looked_at AS {numbered}")
    try:
        with connection.transaction(force_rollback=True):
            called = f"looked_at({literals})" if values else "looked_at"
            [[[plan]]] = connection.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE {called}"
            ).fetchall()
    finally:
        connection.execute("DEALLOCATE looked_at")
    steps = [plan["Plan"]]
    while steps:
        step = steps.pop()
        yield step
        steps += step.get("Plans", [])


def visited(step):
    """Return how many rows a step has looked at."""
    removed = sum(step.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    return step["Actual Loops"] * (step["Actual Rows"] + removed)


def seconds(n):
    return [f"mail_x{k}" for k in range(1, n + 1)]


# What is asked, the indexes that may serve it, and how many of their rows it may look at.
_ASKED = [
    (lambda say, on: say.known(on, ["mail_f1", "nobody"]), {"pkey"}, 2),
    (lambda say, on: say.holders(on, [("mail", "u1"), ("mail", "u2")]), {"unique"}, 2),
    (lambda say, on: say.unclaimed(on, "mail", 10), {"ready", "waiting_group", "lock"}, 10),
    (lambda say, on: say.glance(on, "w1", NOW), {"waiting", "expires"}, 1),
    (lambda say, on: say.promote(on, 20_000_000, 20), {"waiting", "pkey"}, 20),
    (lambda say, on: say.promote_group(on, "g7", 20_000_000, 20), {"waiting_group", "pkey"}, 20),
    (lambda say, on: say.waiting_of(on, "g7", "g2", "h"), {"waiting_group"}, 1),
    (lambda say, on: say.soonest(on, 30), {"waiting"}, 30),
    (lambda say, on: say.next_ready_group(on, "mail.", "mail/"), {"ready"}, 1),
    (lambda say, on: say.ready_groups(on, ("mail", "mail."), ("mail.", "n")), {"ready"}, 1),
    (lambda say, on: say.first_ready(on, "mail"), {"ready"}, 4),
    (lambda say, on: say.has_expired(on, NOW), {"expires"}, 1),
    (lambda say, on: say.ready(on, "mail", NOW, 20), {"ready"}, 20),
    (lambda say, on: say.take(on, ["mail_r1", "mail_r2"], "w", 9, NOW), {"pkey"}, 2),
    (lambda say, on: say.free_slots(on, ["mail_u1"]), {"pkey"}, 1),
    (lambda say, on: say.running_of_group(on, "g7"), {"running"}, 600),
    (lambda say, on: say.running_of_lock(on, "mail", "k"), {"lock"}, 0),
    (lambda say, on: say.park(on, "mail", "l", 1, 20), {"lock", "pkey"}, 20),
    (lambda say, on: say.unpark(on, "mail", "k", 0), {"lock", "pkey"}, 1),
    (lambda say, on: say.succeed(on, NOW, [(i, 7, b"") for i in seconds(50)]), {"pkey"}, 50),
    (lambda say, on: say.load(on, seconds(50)), {"pkey"}, 50),
    (lambda say, on: say.load_running(on, "w1", 300), {"running"}, 200),
    (lambda say, on: say.load_expired(on, 20_000_000, 20), {"expires"}, 20),
    (lambda say, on: say.save(on, [saved("mail_x1")]), {"pkey"}, 1),
    (lambda say, on: say.save(on, [saved("mail_x1"), saved("mail_x2")]), {"pkey"}, 2),
    (lambda say, on: say.remove(on, ["mail_f1", "mail_f2"]), {"pkey"}, 2),
    (lambda say, on: say.next_running_worker(on, "w0"), {"running"}, 1),
    (lambda say, on: say.running(on, "w1"), {"running"}, 200),
    (lambda say, on: say.report(on, "w1", dict.fromkeys(seconds(3), b"")), {"pkey"}, 3),
    (lambda say, on: say.workers(on), {"running"}, 600),
    (lambda say, on: say.records(on, ["mail_f1", "mail_x1"]), {"pkey"}, 2),
    (lambda say, on: say.unfinished(on, ["mail_f1", "mail_x1"]), {"pkey"}, 2),
    (lambda say, on: say.next_finished(on, "mail", 0), {"finished"}, 1),
    (lambda say, on: say.purgeable(on, "mail", 4, 20, 10_000, None), {"finished"}, 20),
    (lambda say, on: say.find(on, Search(NOW, group="mail", after="mail_f5"), 20), {"pkey"}, 21),
    (lambda say, on: say.find(on, Search(NOW, numbers=[3]), 20), {"running"}, 600),
]


@stores
@pytest.mark.parametrize(("ask", "indexes", "most"), _ASKED)
def test_everything_asked_is_a_range_of_an_index(filled, ask, indexes, most):
    listening = Listening(filled.first)
    with filled.first.connection.transaction(force_rollback=True):
        ask(filled.say, listening)
    steps = [*explained(filled, *listening.ran[0])]
    scans = [step for step in steps if "Scan" in step["Node Type"] and is_of_tasks(step)]
    told = {(step["Node Type"], step.get("Index Name"), visited(step)) for step in scans}
    assert told
    # Other clients may go through a bitmap of what an index gives.
    named = {(kind, name, rows) for kind, name, rows in told if kind != "Bitmap Heap Scan"}
    assert {name for _, name, _ in named} <= {f"tk_task_{index}" for index in indexes}, told
    assert all(rows <= bound(kind, most) for kind, _, rows in told), told
    # What is sorted is what was asked for, never what it was chosen from.
    assert all(visited(step) <= most for step in steps if "Sort" in step["Node Type"])


def bound(kind, most):
    # A bitmap counts what other tests have changed and undone, until somebody sweeps it away.
    return 4 * most + 20 if kind == "Bitmap Index Scan" else most


def is_of_tasks(step):
    return "tk_task" in (step.get("Relation Name") or step.get("Index Name", ""))
