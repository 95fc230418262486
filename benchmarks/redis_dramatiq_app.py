"""The no-op task for dramatiq on Redis (see ``peer.py``)."""

from __future__ import annotations

import signal
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from peer import note_start, url

broker: Any = RedisBroker(url=url())
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="bench")
def noop() -> None:
    """Do nothing but note the start."""
    note_start()


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    for _ in range(count):
        noop.send()


def left() -> int:
    """Return how many are not done."""
    return int(broker.do_qsize("bench"))


def work() -> None:
    """Run a worker with 8 threads."""
    worker = dramatiq.Worker(broker, worker_threads=8)
    worker.start()
    signal.sigwait({signal.SIGTERM})
    worker.stop()
