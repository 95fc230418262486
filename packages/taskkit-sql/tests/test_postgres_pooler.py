"""Behind PgBouncer in transaction mode, which gives each transaction to any session."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from taskkit import connect
from taskkit.ids import new_id
from taskkit.records import Outcome, Settlement, WorkerInfo
from taskkit.task import NewTask
from taskkit_conformance.servers import pgbouncer

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

THREADS, TASKS = 8, 400
LEASE = 60_000_000


@pytest.fixture
def pooled(postgres_url):
    program = pgbouncer.find()
    if program is None:
        pytest.skip(pgbouncer.HOW)
    with pgbouncer.pooled(program, postgres_url) as url:
        yield url


def drain(backend, worker):
    """Work as a worker does; return the ids of what was done."""
    backend.register(WorkerInfo(worker, {"mail": 10}), LEASE)
    done = []
    while claims := backend.claim(worker, {"mail": 10}).claims:
        backend.heartbeat(worker, LEASE, [(c.task.id, c.token) for c in claims], {})
        settlements = [Settlement(c.task.id, c.token, Outcome.SUCCEED, b"r") for c in claims]
        assert all(backend.settle(worker, settlements))
        done += [claim.task.id for claim in claims]
    backend.heartbeat(worker, LEASE, [], {})
    return done


def test_everything_works_that_a_worker_does(pooled):
    with closing(connect("sql", url=pooled, notify=False, pool_size=THREADS)) as backend:
        tasks = [NewTask(id=new_id("mail"), group="mail", name="n", data=b"") for _ in range(TASKS)]
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(lambda task: backend.put([task]), tasks[: TASKS // 2]))
            backend.put(tasks[TASKS // 2 :])
            done = threads.map(lambda n: drain(backend, f"w{n}"), range(THREADS))
            found = sorted(task_id for ids in done for task_id in ids)
        assert found == sorted(task.id for task in tasks)
        assert [(c.group, c.state.value, c.count) for c in backend.count()] == [
            ("mail", "succeeded", TASKS)
        ]


def test_nothing_is_left_in_a_session_that_others_get(pooled):
    names = ("statement_timeout", "lock_timeout", "plan_cache_mode", "enable_seqscan")

    def settings():
        with psycopg.connect(pooled, autocommit=True) as other:
            return [other.execute(f"SHOW {name}").fetchone() for name in names]

    before = settings()
    with closing(connect("sql", url=pooled, notify=False)) as backend:
        backend.put([NewTask(id=new_id("mail"), group="mail", name="n", data=b"")] * 2)
        drain(backend, "w")
    assert settings() == before
