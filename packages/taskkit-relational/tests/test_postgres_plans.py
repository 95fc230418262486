"""What PostgreSQL's statements cost on a full store: ranges of an index, nothing walked through.

Told by the plans, with the rows that they really visited; not by time.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fullcase import ASKED, fill, finish
from psycopg import sql
from storecase import NOW, opened

from taskkit_relational.dialects.postgres.planning import PLANNING

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


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


_MODES = {
    "without statistics": ("none", PLANNING),
    "with old statistics": ("old", PLANNING),
    "with fresh statistics": ("fresh", PLANNING),
    "any client": ("fresh", {}),
    "with those of an empty table": ("empty", PLANNING),
}

# What may be claimed by one statement: a group that has no keys, no subgroups, and a worker.
_PLAIN = """
INSERT INTO tk_task (id, state, grp, name, priority, due, created, retention, data)
SELECT 'post_r' || n, 1, 'post', 'send', n % 3, n % 100, n, 10, ''
FROM generate_series(1, 5000) AS n;
INSERT INTO tk_worker (id, info, registered, expires, mark) VALUES ('w', '[]', 1, 1 << 30, 0)
"""


@pytest.fixture(scope="module")
def filled(request):
    """A full store with statistics of some age or none; and how connections to it plan."""
    statistics, planning = _MODES[request.param]
    with opened(request, "postgres") as store:
        connection = store.first.connection
        connection.autocommit = True
        connection.execute("ALTER TABLE tk_task SET (autovacuum_enabled = false)")
        if statistics == "empty":
            connection.execute("ANALYZE")
        finish(store.first)
        if statistics == "old":
            connection.execute("ANALYZE")
        fill(store.first)
        store.first.execute(_PLAIN)
        if statistics == "fresh":
            connection.execute("ANALYZE")
        for name, value in planning.items():
            connection.execute(f"SET {name} = {value}")
        yield store


# On connections of taskkit's own whatever the statistics say; on others where they are fresh, as
# PostgreSQL sees to within a minute.
on_all_connections = pytest.mark.parametrize("filled", [*_MODES][:4], indirect=True)
on_own_connections = pytest.mark.parametrize(
    "filled",
    [
        "without statistics",
        "with old statistics",
        "with fresh statistics",
        "with those of an empty table",
    ],
    indirect=True,
)


def explained(store, text, values) -> Iterator[dict]:
    """Yield each step of a statement's plan, after it was run and undone."""
    connection = store.first.connection
    numbered, given = prepared(text, values)
    literals = ", ".join(sql.Literal(value).as_string(connection) for value in given)
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


def prepared(text, values):
    """Return a statement with its parameters numbered, and their values in that order."""
    if isinstance(values, dict):
        for n, name in enumerate(values, 1):
            text = text.replace(f"%({name})s", f"${n}")
        return text, [*values.values()]
    parts = text.split("%s")
    return "".join(f"{part}${n}" for n, part in enumerate(parts[:-1], 1)) + parts[-1], values


def visited(step):
    """Return how many rows a step has looked at."""
    removed = sum(step.get(f"Rows Removed by {why}", 0) for why in ("Filter", "Index Recheck"))
    return step["Actual Loops"] * (step["Actual Rows"] + removed)


# The indexes that may serve what is asked, and how many of their rows it may look at.
_COSTS = {
    "known": ("pkey", 2),
    "holders": ("unique", 2),
    "unclaimed": ("ready waiting_group lock", 10),
    "glance": ("waiting expires", 1),
    "promote": ("waiting pkey", 20),
    "promote_group": ("waiting_group pkey", 20),
    "waiting_of": ("waiting_group", 1),
    "soonest": ("waiting", 30),
    "next_ready": ("ready", 1),
    "ready_groups": ("ready", 1),
    "first_ready": ("ready", 4),
    "has_expired": ("expires", 1),
    "ready": ("ready", 20),
    "take": ("pkey", 2),
    "free_slots": ("pkey", 2),
    "running_of_group": ("running", 600),
    "running_of_lock": ("lock", 0),
    "park": ("lock pkey", 20),
    "unpark": ("lock pkey", 1),
    "succeed": ("pkey", 50),
    "load": ("pkey", 50),
    "load_running": ("running", 200),
    "load_expired": ("expires", 20),
    "save_one": ("pkey", 1),
    "save": ("pkey", 20),
    "remove": ("pkey", 2),
    "next_running": ("running", 1),
    "running": ("running", 200),
    "report": ("pkey", 3),
    "workers": ("running", 600),
    "records": ("pkey", 2),
    "unfinished": ("pkey", 2),
    "next_finished": ("finished", 1),
    "purgeable": ("finished", 20),
    "find": ("pkey", 21),
    "find_few": ("running", 600),
}


def looked_at(store, ask):
    """Return the steps of the first statement of what is asked, and those through tasks."""
    listening = Listening(store.first)
    with store.first.connection.transaction(force_rollback=True):
        ask(store.say, listening)
    steps = [*explained(store, *listening.ran[0])]
    scans = [step for step in steps if "Scan" in step["Node Type"] and is_of_tasks(step)]
    told = {(step["Node Type"], step.get("Index Name"), visited(step)) for step in scans}
    assert told
    return steps, told


@on_all_connections
@pytest.mark.parametrize("asked", _COSTS)
def test_everything_asked_is_a_range_of_an_index(filled, asked):
    indexes, most = _COSTS[asked]
    steps, told = looked_at(filled, ASKED[asked])
    # Other clients may go through a bitmap of what an index gives.
    named = {(kind, name, rows) for kind, name, rows in told if kind != "Bitmap Heap Scan"}
    assert {name for _, name, _ in named} <= {f"tk_task_{index}" for index in indexes.split()}, told
    assert all(rows <= bound(kind, most) for kind, _, rows in told), told
    # What is sorted is what was asked for, never what it was chosen from.
    assert all(visited(step) <= most for step in steps if "Sort" in step["Node Type"])


def bound(kind, most):
    # A bitmap counts what other tests have changed and undone, until somebody sweeps it away.
    return 4 * most + 20 if kind == "Bitmap Index Scan" else most


def is_of_tasks(step):
    return "tk_task" in (step.get("Relation Name") or step.get("Index Name", ""))


# ---- by one statement


def names_of(told):
    return {name.removeprefix("tk_task_") for _, name, _ in told}


@on_own_connections
def test_a_claim_visits_what_it_gives(filled):
    place, most = ("post", "post.", "post/"), 20
    steps, told = looked_at(
        filled, lambda say, on: say.shortcuts.claim_alone(on, "w", place, most, NOW, 0)
    )
    assert names_of(told) <= {"ready", "waiting", "waiting_group", "expires", "pkey"}, told
    assert all(rows <= most for _, _, rows in told), told
    # The candidates, and each of them once more.
    assert {name for _, name, rows in told if rows == most} == {"tk_task_ready", "tk_task_pkey"}
    assert all("Sort" not in step["Node Type"] for step in steps)


@on_own_connections
def test_a_settlement_visits_what_it_settles(filled):
    rows = [(f"mail_x{n}", 7, b"") for n in range(1, 51)]
    _, told = looked_at(filled, lambda say, on: say.shortcuts.succeed_alone(on, rows, NOW, 0, None))
    assert names_of(told) == {"pkey"}, told
    assert all(seen <= len(rows) for _, _, seen in told), told


@on_own_connections
def test_to_look_for_the_dead_is_a_seek_for_each_worker(filled):
    _, told = looked_at(filled, lambda say, on: say.shortcuts.has_dead(on, 5))  # all are alive
    assert names_of(told) == {"running"}, told
    assert 1 <= max(rows for _, _, rows in told) <= 3, told
