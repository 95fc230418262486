"""Depth: what a claim costs the server, by how many tasks wait in its group.

    python benchmarks/redis_depth.py [--sizes 30000 300000 3000000]

Tasks with 100 bytes of data, all due, of one group; the largest number is what fits into 2 GB. Of
claims of 100 the time is the server's own for the script (``INFO commandstats``), the median of
several dozen: neither client nor network counts.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

from bench import report
from redis_place import client, server, version

from taskkit.clock import SECOND
from taskkit.ids import new_id
from taskkit.records import WorkerInfo
from taskkit.stores import connect_url
from taskkit.task import NewTask

STEP, CLAIMS, BATCH = 2_000, 50, 100


def put(backend: Any, count: int) -> None:
    """Put so many tasks."""
    for start in range(0, count, STEP):
        backend.put(
            [
                NewTask(id=new_id("bench"), group="bench", name="noop", data=b"x" * 100)
                for _ in range(min(STEP, count - start))
            ]
        )


def cost(backend: Any, asked: Any) -> float:
    """Return how many microseconds of the server a claimed task takes."""

    def used() -> int:
        told: dict[str, Any] = asked.info("commandstats")
        return int(told["cmdstat_evalsha"]["usec"])

    found = []
    for _ in range(CLAIMS):
        before = used()
        claims = backend.claim("w", {"bench": BATCH}).claims
        found.append((used() - before) / len(claims))
    return statistics.median(found)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[30_000, 300_000, 3_000_000])
    sizes = parser.parse_args().sizes
    figures: dict[str, float | str] = {}
    # What is measured is in memory; a file of 2 GB would only be written beside.
    with server(settings={"appendonly": "no"}) as found, found.database() as url:
        with client(url) as asked:
            backend = connect_url(url)
            backend.register(WorkerInfo("w", {"bench": 1}), 3600 * SECOND)
            held = 0
            for size in sizes:
                put(backend, size - held)
                figures[f"{size} waiting, us a claimed task"] = cost(backend, asked)
                held = size - CLAIMS * BATCH
            told: dict[str, Any] = asked.info("memory")
            figures["memory of the server in the end, GB"] = told["used_memory"] / 1e9
            backend.close()
        about = version(url)
    report("redis_depth", figures, server=about)


if __name__ == "__main__":
    main()
