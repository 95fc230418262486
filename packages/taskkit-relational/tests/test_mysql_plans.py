"""What the statements cost on a full store of MySQL or MariaDB: ranges of an index, and no sort.

Told by the plans, and by how many rows the server really read; not by time.
"""

from __future__ import annotations

import pytest
from mysqlcase import KINDS, NOW, opened, row, saved

from taskkit_relational.statements import Search

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

_COLUMNS = "id, state, grp, name, priority, due, created, retention, data"

# So much that whoever walks through a part of it is found out.
_FILL = f"""
CREATE TEMPORARY TABLE d (n INT PRIMARY KEY);
INSERT INTO d VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
CREATE TABLE seq (n INT PRIMARY KEY);
INSERT INTO seq SELECT n FROM d WHERE n > 0;
INSERT INTO seq SELECT s.n * 10 + d.n FROM seq AS s, d WHERE s.n < 10;
INSERT INTO seq SELECT s.n * 100 + t.n FROM seq AS s, (SELECT n FROM seq WHERE n < 100
    UNION ALL SELECT 0) AS t WHERE s.n < 100;
INSERT INTO seq SELECT s.n + 10000 FROM seq AS s WHERE n < 10000;
INSERT INTO tk_task ({_COLUMNS}, done, purge_at, settled, token, attempt, worker_id, labels)
SELECT concat('mail_f', n), 4, 'mail', 'send', 0, n, n, 10, '', n, n + 10, 1, 1, 1,
    concat('w', n % 3), '{{"a":1}}' FROM seq;
INSERT INTO tk_task ({_COLUMNS}, expires)
SELECT concat('g', n % 50, '_w', n), 0, concat('g', n % 50), 'send', 0, 10000000 + n, n, 10, '',
    20000000 FROM seq WHERE n <= 5000;
INSERT INTO tk_task ({_COLUMNS}) SELECT concat('mail_r', n), 1, 'mail', 'send', n % 3, n % 100, n,
    10, '' FROM seq WHERE n <= 5000;
INSERT INTO tk_task ({_COLUMNS}) SELECT concat('mail.s', n % 100, '_r', n), 1,
    concat('mail.s', n % 100), 'send', 0, n, n, 10, '' FROM seq WHERE n <= 1000;
INSERT INTO tk_task ({_COLUMNS}, lock_key) SELECT concat('mail_p', n), 2, 'mail', 'send', 0, n, n,
    10, '', 'k' FROM seq WHERE n <= 3000;
INSERT INTO tk_task ({_COLUMNS}, lock_key) SELECT concat('mail_l', n), 1, 'mail', 'send', -9, n, n,
    10, '', 'l' FROM seq WHERE n <= 1000;
INSERT INTO tk_task ({_COLUMNS}, unique_key, unique_slot) SELECT concat('mail_u', n), 1, 'mail',
    'send', -9, n, n, 10, '', concat('u', n), concat('u', n) FROM seq WHERE n <= 1000;
INSERT INTO tk_slot (grp, slot, id) SELECT 'mail', concat('u', n), concat('mail_u', n) FROM seq
    WHERE n <= 1000;
INSERT INTO tk_task ({_COLUMNS}, token, attempt, worker_id) SELECT concat('mail_x', n), 3, 'mail',
    'send', 0, n, n, 10, '', 7, 1, concat('w', n % 3) FROM seq WHERE n <= 600;
INSERT INTO tk_worker (id, info, registered, expires, mark, stopped)
SELECT concat('w', n - 1), '[]', 1, 9, 0, '[]' FROM seq WHERE n <= 3;
"""


class Watched:
    """A cursor that remembers what it ran."""

    def __init__(self, cursor):
        self._cursor = cursor
        self.ran = []

    def execute(self, text, values=None):
        self.ran.append(self._cursor.mogrify(text, values))
        return self._cursor.execute(text, values)

    def __getattr__(self, name):
        return getattr(self._cursor, name)


# Statistics are what the server gathered by itself after the filling, or those of an empty table.
@pytest.fixture(scope="module", params=[(kind, old) for kind in KINDS for old in (False, True)])
def filled(request):
    kind, is_old = request.param
    with opened(request, kind) as store:
        cursor = store.first
        if is_old:
            cursor.execute("ALTER TABLE tk_task STATS_AUTO_RECALC = 0, STATS_PERSISTENT = 1")
            cursor.execute("ANALYZE TABLE tk_task")
            cursor.fetchall()
        for statement in _FILL.split(";")[:-1]:
            cursor.execute(statement)
        cursor.connection.commit()
        if not is_old:
            cursor.execute("ANALYZE TABLE tk_task")
            cursor.fetchall()
        yield store


def rows_read(cursor):
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(value) for name, value in cursor.fetchall() if not name.endswith("rnd_deleted"))


def running(n):
    return [f"mail_x{k}" for k in range(1, n + 1)]


def unknown(n):
    return [row(f"mail_n{k}", unique_slot=f"n{k}") for k in range(n)]


# What is asked, the indexes that may serve it, and how many rows it may read.
_ASKED = {
    "known": (lambda say, on: say.known(on, ["mail_f1", "nobody"]), "PRIMARY", 4),
    "holders": (lambda say, on: say.holders(on, [("mail", "u1"), ("mail", "u2")]), "PRIMARY", 4),
    "unclaimed": (lambda say, on: say.unclaimed(on, "mail", 10), "by_place", 30),
    "glance": (lambda say, on: say.glance(on, "w1", NOW), "PRIMARY by_expiry by_waiting", 8),
    "promote": (lambda say, on: say.promote(on, 20_000_000, 20), "by_waiting PRIMARY", 60),
    "promote_group": (
        lambda say, on: say.promote_group(on, "g7", 20_000_000, 20),
        "by_place PRIMARY",
        60,
    ),
    "waiting_of": (lambda say, on: say.waiting_of(on, "g7", "g2", "h"), "by_place", 4),
    "soonest": (lambda say, on: say.soonest(on, 30), "by_waiting", 35),
    "next_ready": (lambda say, on: say.next_ready_group(on, "mail.", "mail/"), "by_place", 3),
    "ready_groups": (
        lambda say, on: say.ready_groups(on, ("mail", "mail\x01"), ("mail.", "mail/")),
        "by_place",
        6,
    ),
    "first_ready": (lambda say, on: say.first_ready(on, "mail"), "by_place", 30),
    "ready": (lambda say, on: say.ready(on, "mail", NOW, 20), "by_place", 22),
    "ready_last": (lambda say, on: say.ready(on, "mail.s7", NOW * 9, 20), "by_place", 22),
    "take": (lambda say, on: say.take(on, ["mail_r1", "mail_r2"], "w", 9, NOW), "PRIMARY", 4),
    "free_slots": (lambda say, on: say.free_slots(on, ["mail_u1", "mail_u2"]), "PRIMARY", 12),
    "running_of_group": (lambda say, on: say.running_of_group(on, "mail"), "by_place", 602),
    "running_of_lock": (lambda say, on: say.running_of_lock(on, "mail", "k"), "by_lock", 2),
    "park": (lambda say, on: say.park(on, "mail", "l", 1, 20), "by_lock PRIMARY", 62),
    "unpark": (lambda say, on: say.unpark(on, "mail", "k", 0), "by_lock PRIMARY", 8),
    "succeed": (
        lambda say, on: say.succeed(on, NOW, [(i, 7, i.encode()) for i in running(50)]),
        "PRIMARY",
        102,
    ),
    "load": (lambda say, on: say.load(on, running(50)), "PRIMARY", 102),
    "load_running": (lambda say, on: say.load_running(on, "w1", 300), "by_runner PRIMARY", 802),
    "load_expired": (
        lambda say, on: say.load_expired(on, 20_000_000, 20),
        "by_expiry PRIMARY",
        80,
    ),
    "save_one": (lambda say, on: say.save(on, [saved("mail_x1")]), "PRIMARY", 6),
    "save": (lambda say, on: say.save(on, [saved(i) for i in running(20)]), "PRIMARY", 160),
    "remove": (lambda say, on: say.remove(on, ["mail_f1", "mail_u2"]), "PRIMARY", 14),
    "insert": (lambda say, on: say.insert(on, unknown(10)), "PRIMARY", 100),
    "next_running": (lambda say, on: say.next_running_worker(on, "w0"), "by_runner", 3),
    "running": (lambda say, on: say.running(on, "w1"), "by_runner", 203),
    "report": (
        lambda say, on: say.report(on, "w1", dict.fromkeys(running(3), b"")),
        "PRIMARY",
        20,
    ),
    "workers": (lambda say, on: say.workers(on), "by_runner", 620),
    "records": (lambda say, on: say.records(on, ["mail_f1", "mail_x1"]), "PRIMARY", 4),
    "unfinished": (lambda say, on: say.unfinished(on, ["mail_f1", "mail_x1"]), "PRIMARY", 4),
    "next_finished": (lambda say, on: say.next_finished(on, "mail", 0), "by_place", 12),
    "purgeable": (lambda say, on: say.purgeable(on, "mail", 4, 20, 10_000, None), "by_place", 22),
    "find": (
        lambda say, on: say.find(on, Search(NOW, group="mail", after="mail_f5"), 20),
        "PRIMARY",
        25,
    ),
    "find_few": (
        lambda say, on: say.find(on, Search(NOW, numbers=[3]), 20),
        "by_place PRIMARY",
        700,
    ),
    "sign": (lambda say, on: say.sign(on), "by_waiting by_place PRIMARY", 1200),
    "gates": (lambda say, on: say.gates(on, ["run:a", "lock:b"], wait=False), "PRIMARY", 4),
}

_SORTED = {"workers", "find_few", "next_finished", "sign", "running"}
"""What comes together from several places, and is sorted without being locked."""


@pytest.mark.parametrize("asked", _ASKED)
def test_everything_asked_is_a_range_of_an_index(filled, asked):
    ask, indexes, most = _ASKED[asked]
    cursor = Watched(filled.first)
    before = rows_read(filled.first)
    noise = rows_read(filled.first) - before
    ask(filled.say, cursor)
    read = rows_read(filled.first) - before - 2 * noise
    cursor.connection.rollback()
    assert read <= most
    for statement in cursor.ran:
        if statement.startswith("INSERT"):
            continue
        for step in explained(filled.first, statement):
            assert not is_walk(step, indexes.split()), (statement, step)
            assert asked in _SORTED or "filesort" not in (step["Extra"] or ""), (statement, step)


def explained(cursor, statement):
    cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {statement}")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, step, strict=True)) for step in cursor.fetchall()]


def is_walk(step, indexes):
    """Whether a step goes through a table of the store, or by an index that was not meant."""
    table = str(step["table"])
    if step["type"] is None or table.startswith("<") or table in ("n", "w", "s", "l"):
        return False  # made of parameters or of other steps, or few rows by nature
    return step["type"] == "ALL" or step["key"] not in indexes
