"""The same no-op task for huey, the peer of ``drain.py``."""

from __future__ import annotations

import os
import pickle
import sqlite3
import time

from huey import SqliteHuey

huey = SqliteHuey(filename=os.environ["HUEY_FILE"])


@huey.task()
def noop() -> float:
    """Do nothing; the answer tells when."""
    return time.time()


def fill(count: int) -> None:
    """Enqueue so many tasks."""
    for _ in range(count):
        noop()


def rate(count: int) -> float:
    """Wait for so many results and return how many a second there were."""
    connection = sqlite3.connect(os.environ["HUEY_FILE"], timeout=30)
    while connection.execute("select count(*) from kv").fetchone()[0] < count:
        time.sleep(0.25)
    rows = connection.execute("select value from kv").fetchall()
    started = [pickle.loads(row[0]) for row in rows]  # noqa: S301 - huey's own format
    return (len(started) - 1) / (max(started) - min(started))
