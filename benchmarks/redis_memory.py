"""Memory: bytes that a task with 100 bytes of data takes on Redis, queued and finished.

    python benchmarks/redis_memory.py [--tasks 100000]

``used_memory`` of the server before and after, divided by the tasks.
"""

from __future__ import annotations

import argparse
from typing import Any

from bench import report
from redis_place import client, server, version

from taskkit.clock import SECOND
from taskkit.ids import new_id
from taskkit.records import Outcome, Settlement, WorkerInfo
from taskkit.stores import connect_url
from taskkit.task import NewTask

STEP = 1_000


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    count = parser.parse_args().tasks
    with server() as found, found.database() as url, client(url) as asked:

        def used() -> int:
            told: dict[str, Any] = asked.info("memory")
            return int(told["used_memory"])

        backend = connect_url(url)
        backend.register(WorkerInfo("w", {"bench": 1}), 3600 * SECOND)
        before = used()
        for _ in range(0, count, STEP):
            backend.put(
                [
                    NewTask(id=new_id("bench"), group="bench", name="noop", data=b"x" * 100)
                    for _ in range(STEP)
                ]
            )
        queued = used()
        while claims := backend.claim("w", {"bench": STEP}).claims:
            backend.settle(
                "w",
                [Settlement(c.task.id, c.token, Outcome.SUCCEED, b"1700000000.1") for c in claims],
            )
        finished = used()
        told = version(url)
        backend.close()
    report(
        "redis_memory",
        {
            "bytes a queued task": (queued - before) / count,
            "bytes a finished task": (finished - before) / count,
        },
        server=told,
    )


if __name__ == "__main__":
    main()
