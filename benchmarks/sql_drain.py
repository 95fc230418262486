"""Drain: how many no-op tasks a second 2 processes × 8 threads do on a server, results stored.

    python benchmarks/sql_drain.py [--store mariadb] [--runs 5] [--tasks 100000]

Beside it, in the same run on the same server, which waits for its disk at every commit: the peers
that work on it, with 2 processes each (pip install pgqueuer asyncpg procrastinate django-taskq
django-tasks-db), and the bare sketch, the least that this shape can cost (``sketch_app.py``). The
rate is tasks divided by the time from the first start to the last, so neither start-up nor
observation counts.
"""

from __future__ import annotations

import argparse
import statistics

from bench import app_on, processes, report, start_rate, until, worker_command
from figures import version
from peer import measure
from servers import databases, store_argument

PROCESSES, THREADS = 2, 8

PEERS = {
    "sqlite": {},
    "postgres": {
        "sketch": 100_000,
        "pgqueuer": 40_000,
        "procrastinate": 3_000,
        "tasks_db": 1_000,
    },
    "mariadb": {"sketch": 50_000, "taskq": 1_000, "tasks_db": 1_000},
}
"""The peers on each store, and how many tasks each gets: some seconds of work."""

NAMES = {"sketch": "bare sketch", "taskq": "django-taskq", "tasks_db": "django-tasks-db"}


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
    store_argument(parser)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--only", help="one of: taskkit, or the name of a peer")
    arguments = parser.parse_args()
    counts = {"taskkit": arguments.tasks, **PEERS[arguments.store]}
    if arguments.only:
        counts = {arguments.only: counts[arguments.only]}
    rates: dict[str, list[float]] = {name: [] for name in counts}
    with databases(arguments.store) as database:
        for _ in range(arguments.runs):
            for name, count in counts.items():
                with database() as url:
                    told = version(url)
                    one = (
                        ours(url, count)
                        if name == "taskkit"
                        else measure(f"{name}_app", url, count, PROCESSES)
                    )
                    print(f"{name}: {one:.0f}/s", flush=True)
                    rates[name].append(one)
    _report(arguments.store, told, rates)


def _report(store: str, server: str, rates: dict[str, list[float]]) -> None:
    medians = {name: statistics.median(values) for name, values in rates.items()}
    figures: dict[str, float | str] = {
        f"{NAMES.get(name, name)}, tasks/s (median)": value for name, value in medians.items()
    }
    mine = medians.get("taskkit")
    if mine is not None:
        for name, theirs in medians.items():
            if name != "taskkit":
                figures[f"taskkit / {NAMES.get(name, name)}"] = mine / theirs
    report(f"sql_drain_{store}", figures, server=server)


if __name__ == "__main__":
    main()
