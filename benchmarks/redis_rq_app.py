"""The no-op task for rq, by its fastest worker, which does not fork (see ``peer.py``)."""

from __future__ import annotations

from peer import note_start, url
from redis_place import client
from rq import Queue, SimpleWorker

queue = Queue("bench", connection=client(url()))


def noop() -> None:
    """Do nothing but note the start."""
    note_start()


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    for _ in range(count):
        queue.enqueue("redis_rq_app.noop")


def left() -> int:
    """Return how many are not done."""
    return len(queue) + len(queue.started_job_registry)


def work() -> None:
    """Run a worker."""
    SimpleWorker([queue], connection=client(url())).work(logging_level="WARNING")
