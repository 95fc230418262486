"""The no-op task for procrastinate (a peer, see ``peer.py``): psycopg, 8 coroutines a process.

It stores no results, only the status of a job.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from peer import Put, note_start, timed, url
from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=url()))


@app.task(name="noop")
async def noop() -> None:
    """Do nothing; note when."""
    note_start()


def fill(count: int) -> None:
    """Make the tables and enqueue so many tasks."""
    with app.open():
        app.schema_manager.apply_schema()
        for start in range(0, count, 1_000):
            noop.configure().batch_defer(*[{}] * min(1_000, count - start))


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    with app.open():
        yield timed(noop.defer)


def work() -> None:
    """Run a worker until SIGTERM."""
    app.run_worker(concurrency=8)


def left() -> int:
    """Return how many tasks are not done."""
    with psycopg.connect(url()) as connection:
        row = connection.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing')"
        ).fetchone()
    assert row is not None
    return int(row[0])
