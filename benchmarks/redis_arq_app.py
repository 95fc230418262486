"""The no-op task for arq, results stored (see ``peer.py``)."""

from __future__ import annotations

import asyncio
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker
from peer import note_start, url
from redis_place import client

settings = RedisSettings.from_dsn(url())


async def noop(_context: dict[Any, Any]) -> None:
    """Do nothing but note the start."""
    note_start()


def fill(count: int) -> None:
    """Enqueue so many tasks."""

    async def put() -> None:
        pool = await create_pool(settings)
        for _ in range(count):
            await pool.enqueue_job("noop")

    asyncio.run(put())


def left() -> int:
    """Return how many are not done."""
    with client(url()) as server:
        return int(server.zcard("arq:queue"))  # type: ignore[arg-type]  # redis-py's unions


def work() -> None:
    """Run a worker that runs 100 at a time."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    Worker([noop], redis_settings=settings, max_jobs=100, poll_delay=0.01).run()
