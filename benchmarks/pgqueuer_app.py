"""The no-op task for pgqueuer (a peer, see ``peer.py``): batches of 100, asyncpg, uvloop.

Its job is deleted when it is done; what stays is a row of its log.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import uvloop
from peer import Put, note_start, timed_on, url
from pgqueuer import PgQueuer
from pgqueuer.models import Job
from pgqueuer.queries import Queries

BATCH = 100


def fill(count: int) -> None:
    """Make the tables and enqueue so many tasks."""

    async def filled() -> None:
        connection = await asyncpg.connect(url())
        queries = Queries.from_asyncpg_connection(connection)
        await queries.install()
        for start in range(0, count, 1_000):
            size = min(1_000, count - start)
            await queries.enqueue(["noop"] * size, [None] * size, [0] * size)
        await connection.close()

    asyncio.run(filled())


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        connection = runner.run(asyncpg.connect(url()))
        queries = Queries.from_asyncpg_connection(connection)
        yield timed_on(runner, lambda: queries.enqueue("noop", None))
        runner.run(connection.close())


def work() -> None:
    """Run a worker until SIGTERM."""

    async def worked() -> None:
        queuer = PgQueuer.from_asyncpg_connection(await asyncpg.connect(url()))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queuer.shutdown.set)

        @queuer.entrypoint("noop")
        async def noop(job: Job) -> None:  # noqa: ARG001 - it is called with one
            note_start()

        await queuer.run(batch_size=BATCH)

    uvloop.run(worked())


def left() -> int:
    """Return how many tasks are not done."""

    async def asked() -> int:
        connection = await asyncpg.connect(url())
        count = await connection.fetchval("SELECT count(*) FROM pgqueuer")
        await connection.close()
        return int(count)

    return asyncio.run(asked())
