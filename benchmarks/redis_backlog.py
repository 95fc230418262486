"""A backlog beside: drain on Redis with and without a million tasks that wait; then they go.

    python benchmarks/redis_backlog.py [--waiting 1000000] [--runs 3]

The waiting tasks are of the same group, half of them due tomorrow, half ready but of the lowest
priority. Afterwards they are deleted and purged, while another client asks for the time: what it
waits for at most is what a script takes at most.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from datetime import timedelta
from typing import Any

from bench import app_on, processes, report, start_rate, until, worker_command
from redis_place import client, server, version

TASKS, STEP = 50_000, 5_000


def drain(url: str) -> float:
    """Return how many of the tasks of high priority are started a second."""
    app = app_on(url)
    first = app.noop.options(priority=10)
    for _ in range(0, TASKS, STEP):
        first.delay_many([()] * STEP)
    command, env = worker_command(url, 2, "bench=8")
    with processes(command, env=env):
        until(lambda: app.kit.stats().count("bench", "succeeded") >= TASKS)
    started = sorted(app.results("noop"))[:TASKS]
    app.kit.close()
    return start_rate(started)


def fill(url: str, waiting: int) -> None:
    """Put what is not to be reached."""
    app = app_on(url)
    later = app.noop.options(due=timedelta(days=1))
    last = app.noop.options(priority=-100)
    for _ in range(0, waiting // 2, STEP):
        later.delay_many([()] * STEP)
        last.delay_many([()] * STEP)
    app.kit.close()


def longest_wait(url: str, act: Any) -> float:
    """Return the longest time that another client waited for an answer while something was done."""
    ended, waits = threading.Event(), [0.0]

    def ask() -> None:
        with client(url) as other:
            while not ended.is_set():
                before = time.perf_counter()
                other.ping()
                waits.append(time.perf_counter() - before)
                time.sleep(0.001)

    asking = threading.Thread(target=ask)
    asking.start()
    act()
    ended.set()
    asking.join()
    return max(waits)


def empty(app: Any) -> None:
    """Cancel and purge what is left, a page at a time."""
    while True:
        page = app.kit.find("bench", limit=10_000)
        if not page.records:
            return
        app.kit.backend.delete([record.task.id for record in page.records])


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    alone, beside, waits = [], [], []
    with server() as found:
        told = version(found.url)
        for _ in range(arguments.runs):
            with found.database() as url:
                alone.append(drain(url))
            with found.database() as url:
                fill(url, arguments.waiting)
                beside.append(drain(url))
                app = app_on(url)
                waits.append(longest_wait(url, lambda app=app: empty(app)))
                app.kit.close()
    report(
        "redis_backlog",
        {
            "alone, tasks/s (median)": statistics.median(alone),
            f"beside {arguments.waiting} others (median)": statistics.median(beside),
            "ratio": statistics.median(beside) / statistics.median(alone),
            "longest wait of another client while they are deleted, ms": 1e3 * max(waits),
        },
        server=told,
    )


if __name__ == "__main__":
    main()
