"""The no-op task for celery on Redis, results stored (see ``peer.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from celery import Celery
from peer import Put, note_start, timed, url
from redis_place import client

app = Celery("redis_celery_app", broker=url(), backend=url())
app.conf.worker_prefetch_multiplier = 64


@app.task(name="noop")
def noop() -> None:
    """Do nothing but note the start."""
    note_start()


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    yield timed(noop.delay)


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    with producer() as put:
        for _ in range(count):
            put()


def left() -> int:
    """Return how many are not done."""
    with client(url()) as server:
        waiting: int = server.llen("celery")  # type: ignore[assignment]  # redis-py's unions
        unacked: int = server.hlen("unacked")  # type: ignore[assignment]  # redis-py's unions
        return waiting + unacked


def work() -> None:
    """Run a worker with 8 threads."""
    app.worker_main(["worker", "-P", "threads", "-c", "8", "-l", "WARNING", "--without-gossip"])
