"""The no-op task for arq, results stored (see ``peer.py``)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from arq import create_pool
from arq.connections import RedisSettings
from arq.worker import Worker
from peer import Put, note_start, timed_on, url
from redis_place import client

settings = RedisSettings.from_dsn(url())


async def noop(_context: dict[Any, Any]) -> None:
    """Do nothing but note the start."""
    note_start()


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    with asyncio.Runner() as runner:
        pool = runner.run(create_pool(settings))
        yield timed_on(runner, lambda: pool.enqueue_job("noop"))
        runner.run(pool.aclose())


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    with producer() as put:
        for _ in range(count):
            put()


def left() -> int:
    """Return how many are not done."""
    with client(url()) as server:
        return int(server.zcard("arq:queue"))  # type: ignore[arg-type]  # redis-py's unions


def work() -> None:
    """Run a worker that runs 100 at a time."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    Worker([noop], redis_settings=settings, max_jobs=100, poll_delay=0.01).run()
