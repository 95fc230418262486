"""What the hot statements cost: an index for each, no sort, no scan of what does not matter."""

from __future__ import annotations

import pytest
from sqlcase import claim, new_task, register, succeed

from taskkit.clock import SECOND
from taskkit_relational.dialects.sqlite import texts

# Statement, its parameters, the index that has to serve it.
_PLANS = [
    ("READY", ("mail", 1, 1), "task_ready"),
    ("READY_GROUPS", ("a", "b", "c", "d"), "task_ready"),
    ("FIRST_READY", ("a",), "task_ready"),
    ("GLANCE", ("w", 1), "task_waiting"),
    ("PROMOTE", (1, 1), "task_waiting"),
    ("SOONEST", (1,), "task_waiting"),
    ("PROMOTE_GROUP", ("a", 1, 1), "task_waiting_group"),
    ("WAITING_OF", ("a", "a", "b"), "task_waiting_group"),
    ("HAS_EXPIRED", (1,), "task_expires"),
    ("LOAD_EXPIRED", (1, 1), "task_expires"),
    ("RUNNING_OF_GROUP", ("a",), "task_running"),
    ("LOAD_RUNNING", ("w", 1), "task_running"),
    ("NEXT_RUNNING_WORKER", ("w",), "task_running"),
    ("RUNNING_OF_LOCK", ("a", "k"), "task_lock"),
    ("PARK", ("a", "k", 1, 1), "task_lock"),
    ("NEXT_PARKED", ("a", "k", 1), "task_lock"),
    ("UNPARK", ("a", "k", 1, 1), "task_lock"),
    ("SUCCEED", (1, 1, b"", "x", 1), "task_id"),
    ("KNOWN", ('["x"]',), "task_id"),
    ("HOLDER", ("a", "k"), "task_unique"),
]


@pytest.mark.parametrize(("statement", "parameters", "index"), _PLANS)
def test_a_hot_statement_uses_its_index(backend, raw, statement, parameters, index):
    sql = getattr(texts, statement).replace("@", "taskkit_")
    plan = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
    assert any(f"INDEX taskkit_{index} " in f"{step} " for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan
    assert not any(step == "SCAN taskkit_task" for step in plan), plan


def _steps(raw, backend, action):
    """Return about how many thousand steps SQLite's machine does for an action."""
    counted = [0]

    def count():
        counted[0] += 1

    driver = backend._store.database._writer[0].connection.driver_connection
    driver.set_progress_handler(count, 100)
    try:
        action()
    finally:
        driver.set_progress_handler(None, 0)
    return counted[0]


def test_a_claim_costs_the_same_among_waiting_finished_and_parked(backend, raw):
    """Counted in steps of SQLite's virtual machine, not in seconds."""
    register(backend)

    def claim_ten():
        backend.put([new_task() for _ in range(10)])
        claims = []
        cost = _steps(raw, backend, lambda: claims.extend(claim(backend, 10)))
        assert len(claims) == 10
        return cost + _steps(raw, backend, lambda: succeed(backend, claims))

    backend.put([new_task()])
    claim(backend, 1)
    alone = claim_ten()
    far = 4_000_000_000 * SECOND
    backend.put([new_task(f"mail.g{n % 50}" if n % 2 else "mail", due=far) for n in range(3000)])
    backend.put([new_task(f"other.g{n}", due=far) for n in range(1000)])
    backend.put([new_task() for _ in range(1000)])
    succeed(backend, claim(backend, 1000))
    backend.put([new_task(lock_key="k") for _ in range(1000)])
    assert len(claim(backend, 10)) == 1
    crowded = claim_ten()
    # The look for the soonest of a want's subgroups is bounded, at 1000 entries of an index.
    assert crowded < alone + 120, (alone, crowded)


def test_an_idle_claim_writes_nothing(backend, raw):
    """Or claimers would wake each other for ever."""
    register(backend)
    before = raw.execute("PRAGMA data_version").fetchone()
    assert claim(backend) == []
    assert backend.reclaim().tasks == 0
    assert backend.purge() == 0
    assert raw.execute("PRAGMA data_version").fetchone() == before
