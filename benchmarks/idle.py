"""Idle: what 2 worker processes cost while nothing is to do, and how soon a task starts then.

    python benchmarks/idle.py [--store postgres | mariadb] [--seconds 30] [--samples 300]

8 threads a process. CPU is that of the whole tree, in percent of one core. On SQLite, store calls
are counted in the workers by a wrapper around the backend (``counted_app.py``); a server counts
the statements that it executes by itself (pg_stat_statements, ``Questions``). The latency is from
just before ``delay()`` to the first line of the task, one at a time, workers idle in between.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench import (
    app_on,
    cpu_seconds,
    percentile,
    processes,
    pss,
    report,
    tree,
    until,
    worker_command,
)
from figures import executed, version
from servers import COUNTING, databases, named, store_argument

PROCESSES = 2


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    store_argument(parser, "sqlite")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--samples", type=int, default=300)
    arguments = parser.parse_args()
    counting = COUNTING.get(arguments.store)
    with databases(arguments.store, counting) as database, database() as url:
        figures = _measure(url, arguments.seconds, arguments.samples)
        server = version(url)
    report(named("idle", arguments.store), figures, server=server)


def _measure(url: str, seconds: float, samples: int) -> dict[str, float | str]:
    app = app_on(url)
    app.kit.backend.migrate()
    command, env = worker_command(url, PROCESSES, "bench=8")
    with tempfile.TemporaryDirectory() as folder:
        if url.startswith("sqlite"):
            command[command.index("app:kit")] = "counted_app:kit"
            env["COUNT_FOLDER"] = folder
        with processes(command, env=env) as (root,):
            until(lambda: len(app.kit.stats().workers) == PROCESSES)
            app.noop.delay().get(timeout=10)
            app.kit.close()  # what is counted is what the workers do
            time.sleep(3)  # let start-up be over
            cpu = cpu_seconds(tree(root))
            calls = _calls(url, folder, seconds)
            cpu = cpu_seconds(tree(root)) - cpu
            memory = pss(tree(root))
            app = app_on(url)
            latencies = [_latency(app) for _ in range(samples)]
            app.kit.close()
    for statement, count in calls.most_common():
        print(f"{count:6} {statement[:120]}")
    what = "store calls" if url.startswith("sqlite") else "statements"
    return {
        "CPU of the tree, % of a core": 100 * cpu / seconds,
        f"{what} a second and process": calls.total() / seconds / PROCESSES,
        "PSS of the tree, MB": memory / 1e6,
        "enqueue to start p50, ms": 1e3 * percentile(latencies, 0.5),
        "enqueue to start p99, ms": 1e3 * percentile(latencies, 0.99),
    }


def _calls(url: str, folder: str, seconds: float) -> Counter[str]:
    """Return which calls or statements there are in some seconds."""
    if not url.startswith("sqlite"):
        return executed(url, lambda: time.sleep(seconds))

    def counted() -> int:  # each call appends one byte to its process's file
        return sum(path.stat().st_size for path in Path(folder).glob("calls-*"))

    before = counted()
    time.sleep(seconds)
    return Counter({"calls": counted() - before})


def _latency(app: Any) -> float:
    time.sleep(random.uniform(0.02, 0.12))
    before = time.time()
    return float(app.noop.delay().get(timeout=10)) - before


if __name__ == "__main__":
    sys.exit(main())
