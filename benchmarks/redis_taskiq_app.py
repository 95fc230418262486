"""The no-op task for taskiq on a Redis stream, which acknowledges (see ``peer.py``)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from peer import Put, note_start, timed_on, url
from redis_place import client
from taskiq_redis import RedisStreamBroker

broker = RedisStreamBroker(url())


@broker.task(task_name="noop")
async def noop() -> None:
    """Do nothing but note the start."""
    note_start()


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    with asyncio.Runner() as runner:
        runner.run(broker.startup())
        yield timed_on(runner, noop.kiq)
        runner.run(broker.shutdown())


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    with producer() as put:
        for _ in range(count):
            put()


def left() -> int:
    """Return how many are not done."""
    with client(url()) as server:
        [group] = server.xinfo_groups("taskiq")  # type: ignore[misc]  # redis-py's unions
        told: Any = group
        # The server does not always know how many the group has not read: then some are left.
        lag = told["lag"]
        return int(told["pending"]) + (1 if lag is None else int(lag))


def work() -> None:
    """Become a worker process: what ends this one has to end that."""
    command = [
        sys.executable,
        "-m",
        "taskiq",
        "worker",
        "redis_taskiq_app:broker",
        "--workers",
        "1",
    ]
    os.execv(sys.executable, [*command, "--log-level", "WARNING"])  # noqa: S606 - our own command
