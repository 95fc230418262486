"""The no-op task for tasktiger, by its fastest executor (see ``peer.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from peer import Put, note_start, timed, url
from redis_place import client
from tasktiger import TaskTiger
from tasktiger.worker import Worker

tiger = TaskTiger(redis.Redis.from_url(url(), decode_responses=True), setup_structlog=True)


def noop() -> None:
    """Do nothing but note the start."""
    note_start()


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    yield timed(lambda: tiger.delay(noop))


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    with producer() as put:
        for _ in range(count):
            put()


def left() -> int:
    """Return how many are not done."""
    with client(url()) as server:
        waiting: int = server.zcard("t:queued:default")  # type: ignore[assignment]  # redis-py's unions
        active: int = server.zcard("t:active:default")  # type: ignore[assignment]  # redis-py's unions
        return waiting + active


def work() -> None:
    """Run a worker that does not fork."""
    from tasktiger.executor import SyncExecutor

    Worker(tiger, executor_class=SyncExecutor).run()
