"""The no-op task for huey on Redis (see ``peer.py``)."""

from __future__ import annotations

from huey import RedisHuey
from peer import note_start, url

huey = RedisHuey(url=url())


@huey.task()
def noop() -> None:
    """Do nothing but note the start."""
    note_start()


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    for _ in range(count):
        noop()


def left() -> int:
    """Return how many are not yet taken."""
    return int(huey.storage.queue_size())


def work() -> None:
    """Run a consumer with 8 threads."""
    huey.create_consumer(workers=8, worker_type="thread", periodic=False).run()
