"""The no-op task for dramatiq on Redis (see ``peer.py``)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from peer import Put, note_start, timed, url

broker: Any = RedisBroker(url=url())
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench")
def noop() -> None:
    """Do nothing but note the start."""
    note_start()


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    yield timed(noop.send)


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    with producer() as put:
        for _ in range(count):
            put()


def left() -> int:
    """Return how many are not done."""
    return int(broker.do_qsize("bench"))


def work() -> None:
    """Run a worker with 8 threads."""
    worker = dramatiq.Worker(broker, worker_threads=8)
    worker.start()
    signal.sigwait({signal.SIGTERM})
    worker.stop()
