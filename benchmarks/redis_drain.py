"""Drain: how many no-op tasks a second 2 processes × 8 threads do on Redis, results stored.

    python benchmarks/redis_drain.py [--runs 5] [--tasks 100000] [--only taskkit]

Beside it, in the same run on the same server: the peers that are installed, with 2 processes each
(pip install huey dramatiq celery rq arq tasktiger taskiq-redis), and the bare sketch, the least
that this shape can cost (``redis_sketch_app.py``). The rate is tasks divided by the time from the
first start to the last, so neither start-up nor observation counts.
"""

from __future__ import annotations

import argparse
import statistics
from importlib.util import find_spec

from bench import app_on, processes, report, start_rate, until, worker_command
from peer import measure
from redis_place import server, version

PROCESSES, THREADS = 2, 8

PEERS = {
    "sketch": (100_000, "redis"),
    "huey": (10_000, "huey"),
    "dramatiq": (10_000, "dramatiq"),
    "celery": (5_000, "celery"),
    "rq": (1_000, "rq"),
    "arq": (5_000, "arq"),
    "tasktiger": (1_000, "tasktiger"),
    "taskiq": (20_000, "taskiq_redis"),
}
"""How many tasks each gets, some seconds of work, and the module that it is."""


def ours(url: str, count: int) -> float:
    """Return the rate of taskkit."""
    app = app_on(url)
    for start in range(0, count, 5_000):
        app.noop.delay_many([()] * min(5_000, count - start))
    command, env = worker_command(url, PROCESSES, f"bench={THREADS}")
    with processes(command, env=env):
        until(lambda: app.kit.stats().count("bench", "succeeded") == count)
    started = app.results("noop")
    app.kit.close()
    assert len(started) == count
    return start_rate(started)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--only", help="one of: taskkit, or the name of a peer")
    arguments = parser.parse_args()
    here = {name: count for name, (count, module) in PEERS.items() if find_spec(module)}
    counts = {"taskkit": arguments.tasks, **here}
    if arguments.only:
        counts = {arguments.only: counts[arguments.only]}
    rates: dict[str, list[float]] = {name: [] for name in counts}
    with server() as found:
        told = version(found.url)
        for _ in range(arguments.runs):
            for name, count in counts.items():
                with found.database() as url:
                    one = (
                        ours(url, count)
                        if name == "taskkit"
                        else measure(f"redis_{name}_app", url, count, PROCESSES)
                    )
                    print(f"{name}: {one:.0f}/s", flush=True)
                    rates[name].append(one)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    figures: dict[str, float | str] = {
        f"{name}, tasks/s (median)": value for name, value in medians.items()
    }
    mine = medians.get("taskkit")
    if mine is not None:
        figures |= {f"taskkit / {n}": mine / v for n, v in medians.items() if n != "taskkit"}
    report("redis_drain", figures, server=told)


if __name__ == "__main__":
    main()
