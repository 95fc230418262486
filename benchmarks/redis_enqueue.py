"""Enqueue: tasks a second from one thread, one by one and in bulk, against bare round trips.

    python benchmarks/redis_enqueue.py [--rounds 20] [--seconds 1]

One by one is ``delay()``; beside it a script that does nothing (EVALSHA of ``return 1``, with 100
bytes) by redis-py's own client on the same server. Bulk is ``delay_many`` of 1,000. The three take
turns, so that what else the machine does meets all.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from bench import app_on, report
from redis_place import client, server, version

BULK = 1_000


def rate(step: Callable[[], int], seconds: float) -> float:
    """Return how many a second a step does, repeated for some time."""
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        done += step()
    return done / took


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1)
    arguments = parser.parse_args()
    with server() as found, found.database() as url, client(url) as bare:
        app = app_on(url)
        app.kit.backend.migrate()
        sha, data = bare.script_load("return 1"), b"x" * 100

        def one() -> int:
            app.noop.delay()
            return 1

        def round_trip() -> int:
            bare.evalsha(str(sha), 1, "key", data)
            return 1

        def bulk() -> int:
            return len(app.noop.delay_many([()] * BULK))

        steps = [one, round_trip, bulk]
        rates: list[list[float]] = [[] for _ in steps]
        for step in steps:
            step()
        for _ in range(arguments.rounds):
            for place, step in enumerate(steps):
                rates[place].append(rate(step, arguments.seconds))
            app.kit.backend.clear()
        told = version(url)
        app.kit.close()
    medians = [statistics.median(values) for values in rates]
    report(
        "redis_enqueue",
        {
            "one by one, tasks/s (median)": medians[0],
            "bare EVALSHA, round trips/s (median)": medians[1],
            "ratio, one by one": medians[0] / medians[1],
            "bulk, tasks/s (median)": medians[2],
        },
        server=told,
    )


if __name__ == "__main__":
    main()
