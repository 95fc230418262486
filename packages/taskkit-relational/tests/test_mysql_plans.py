"""What the statements cost on a full store of MySQL or MariaDB: ranges of an index, and no sort.

Told by the plans, and by how many rows the server really read; not by time.
"""

from __future__ import annotations

from itertools import product

import pytest
from fullcase import ASKED, fill, finish
from storecase import MYSQL_KINDS, opened

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

_SLOTS = """
INSERT INTO tk_slot (grp, slot, id)
SELECT 'mail', concat('u', n), concat('mail_u', n) FROM numbers WHERE n <= 1000
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
@pytest.fixture(scope="module", params=product(MYSQL_KINDS, (False, True)))
def filled(request):
    kind, is_old = request.param
    with opened(request, kind) as store:
        cursor = store.first
        if is_old:
            cursor.execute("ALTER TABLE tk_task STATS_AUTO_RECALC = 0, STATS_PERSISTENT = 1")
            cursor.execute("ANALYZE TABLE tk_task")
            cursor.fetchall()
        finish(cursor)
        fill(cursor)
        cursor.execute(_SLOTS)
        cursor.connection.commit()
        if not is_old:
            cursor.execute("ANALYZE TABLE tk_task")
            cursor.fetchall()
        yield store


def rows_read(cursor):
    cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
    return sum(int(value) for name, value in cursor.fetchall() if not name.endswith("rnd_deleted"))


# The indexes that may serve what is asked, and how many rows it may read.
_COSTS = {
    "known": ("PRIMARY", 4),
    "holders": ("PRIMARY", 4),
    "unclaimed": ("by_place", 30),
    "glance": ("PRIMARY by_expiry by_waiting", 8),
    "promote": ("by_waiting PRIMARY", 60),
    "promote_group": ("by_place PRIMARY", 60),
    "waiting_of": ("by_place", 4),
    "soonest": ("by_waiting", 35),
    "next_ready": ("by_place", 3),
    "ready_groups": ("by_place", 6),
    "first_ready": ("by_place", 30),
    "ready": ("by_place", 22),
    "ready_last": ("by_place", 22),
    "take": ("PRIMARY", 4),
    "free_slots": ("PRIMARY", 12),
    "running_of_group": ("by_place", 602),
    "running_of_lock": ("by_lock", 2),
    "park": ("by_lock PRIMARY", 62),
    "unpark": ("by_lock PRIMARY", 8),
    "succeed": ("PRIMARY", 102),
    "load": ("PRIMARY", 102),
    "load_running": ("by_runner PRIMARY", 802),
    "load_expired": ("by_expiry PRIMARY", 80),
    "save_one": ("PRIMARY", 6),
    "save": ("PRIMARY", 160),
    "remove": ("PRIMARY", 14),
    "insert": ("PRIMARY", 100),
    "next_running": ("by_runner", 3),
    "running": ("by_runner", 203),
    "report": ("PRIMARY", 20),
    "workers": ("by_runner", 620),
    "records": ("PRIMARY", 4),
    "unfinished": ("PRIMARY", 4),
    "next_finished": ("by_place", 12),
    "purgeable": ("by_place", 22),
    "find": ("PRIMARY", 25),
    "find_few": ("by_place PRIMARY", 700),
    "sign": ("by_waiting by_place PRIMARY", 1200),
    "gates": ("PRIMARY", 4),
}

_SORTED = {"workers", "find_few", "next_finished", "sign", "running"}
"""What comes together from several places, and is sorted without being locked."""


@pytest.mark.parametrize("asked", _COSTS)
def test_everything_asked_is_a_range_of_an_index(filled, asked):
    indexes, most = _COSTS[asked]
    cursor = Watched(filled.first)
    before = rows_read(filled.first)
    noise = rows_read(filled.first) - before
    ASKED[asked](filled.say, cursor)
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
