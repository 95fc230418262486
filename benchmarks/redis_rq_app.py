"""The no-op task for rq, by its fastest worker, which does not fork (see ``peer.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from peer import Put, note_start, timed, url
from redis_place import client
from rq import Queue, SimpleWorker

queue = Queue("bench", connection=client(url()))


def noop() -> None:
    """Do nothing but note the start."""
    note_start()


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    yield timed(lambda: queue.enqueue("redis_rq_app.noop"))


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    with producer() as put:
        for _ in range(count):
            put()


def left() -> int:
    """Return how many are not done."""
    return len(queue) + len(queue.started_job_registry)


def work() -> None:
    """Run a worker."""
    SimpleWorker([queue], connection=client(url())).work(logging_level="WARNING")
