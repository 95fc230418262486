"""The no-op task for huey on Redis (see ``peer.py``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from huey import RedisHuey
from peer import Put, note_start, timed, url

huey = RedisHuey(url=url())


@huey.task()
def noop() -> None:
    """Do nothing but note the start."""
    note_start()


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    yield timed(noop)


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    with producer() as put:
        for _ in range(count):
            put()


def left() -> int:
    """Return how many are not yet taken."""
    return int(huey.storage.queue_size())


def work() -> None:
    """Run a consumer with 8 threads."""
    huey.create_consumer(workers=8, worker_type="thread", periodic=False).run()
