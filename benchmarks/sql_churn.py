"""Churn: what a table grows to under tasks that come, run and are purged, minute after minute.

    python benchmarks/sql_churn.py [--store mariadb] [--minutes 30] [--rate 2000]

A program puts so many no-op tasks a second, kept for 5 s after they finished; 2 worker processes
run them and purge what is over (once a minute, in small batches). Every half minute the server
tells rows, dead rows and bytes. Bounded is what is no larger at the end than it was after a third
of the time; the whole series is in ``benchmarks/results/``.
"""

from __future__ import annotations

import argparse
import time
from threading import Event, Thread
from typing import Any

from bench import app_on, processes, report, until, worker_command
from figures import sizes, version
from servers import databases, store_argument

PROCESSES, THREADS, TTL, BATCH = 2, 8, 5, 100
TABLE = "taskkit_task"
EVERY = 30
"""Seconds between two samples."""


def produce(app: Any, rate: int, stopped: Event) -> None:
    """Put tasks at a steady rate, in batches."""
    began, put = time.monotonic(), 0
    while not stopped.wait(max(0.0, began + put / rate - time.monotonic())):
        app.noop.options(ttl=TTL).delay_many([()] * BATCH)
        put += BATCH


def sample(app: Any, url: str, began: float) -> dict[str, float]:
    """Return what the server tells, and how much waits to be run."""
    told = sizes(url, TABLE)
    queued = app.kit.stats().count("bench", "queued")
    line = {"minute": round((time.monotonic() - began) / 60, 2), "queued": queued, **told}
    print(" ".join(f"{name}={value}" for name, value in line.items()), flush=True)
    return line


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    store_argument(parser)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=int, default=2_000)
    arguments = parser.parse_args()
    with databases(arguments.store) as database, database() as url:
        app, stopped = app_on(url), Event()
        app.kit.backend.migrate()
        command, env = worker_command(url, PROCESSES, f"bench={THREADS}")
        with processes(command, env=env):
            until(lambda: len(app.kit.stats().workers) == PROCESSES)
            producer = Thread(target=produce, args=(app, arguments.rate, stopped))
            producer.start()
            try:
                series = _watch(app, url, arguments.minutes * 60)
            finally:
                stopped.set()
                producer.join()
        server = version(url)
        app.kit.close()
    report(f"sql_churn_{arguments.store}", _figures(series), server=server, series=series)


def _watch(app: Any, url: str, seconds: float) -> list[dict[str, float]]:
    began, series = time.monotonic(), []
    every = min(EVERY, seconds / 6)
    for number in range(1, int(seconds / every) + 1):
        time.sleep(max(0.0, began + number * every - time.monotonic()))
        series.append(sample(app, url, began))
    return series


def _figures(series: list[dict[str, float]]) -> dict[str, float | str]:
    """Compare the peaks of the middle third, when all is in swing, with those of the last."""
    third = len(series) // 3
    figures: dict[str, float | str] = {}
    for name in ("table_bytes", "index_bytes", "dead", "queued"):
        middle, last = (
            max(line.get(name, 0) for line in part)
            for part in (series[third : 2 * third], series[2 * third :])
        )
        figures[f"{name}, most in the middle third"] = middle
        figures[f"{name}, most in the last third"] = last
    return figures


if __name__ == "__main__":
    main()
