"""Latency: from just before ``delay()`` to the first line of the task, on an idle worker.

    python benchmarks/sql_latency.py [--store mariadb] [--samples 300] [--pause 0.2 0.7]

One worker process with 8 threads, one task at a time, nothing for some time before it. Both ends
are read from the same machine's clock. On PostgreSQL the bare push stands beside it, the least that
carries a row from one process into another (``pushed.py``).
"""

from __future__ import annotations

import argparse
import random
import time
from typing import Any

from bench import app_on, percentile, processes, report, until, worker_command
from figures import version
from pushed import latencies
from servers import databases, store_argument


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    store_argument(parser)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--pause", type=float, nargs=2, default=(0.2, 0.7), metavar="SECONDS")
    arguments = parser.parse_args()
    with databases(arguments.store) as database, database() as url:
        app = app_on(url)
        app.kit.backend.migrate()
        command, env = worker_command(url, 1, "bench=8")
        with processes(command, env=env):
            until(lambda: len(app.kit.stats().workers) == 1)
            for _ in range(10):  # connections made, statements compiled
                app.noop.delay().get(timeout=10)
            starts = [_latency(app, arguments.pause) for _ in range(arguments.samples)]
        server = version(url)
        app.kit.close()
        # MariaDB cannot push.
        pushes = latencies(url, arguments.samples, arguments.pause) if _pushes(url) else []
    bare: dict[str, float | str] = {
        f"bare push {name}, ms": 1e3 * percentile(pushes, share)
        for name, share in (("p50", 0.5), ("p99", 0.99))
        if pushes
    }
    report(
        f"sql_latency_{arguments.store}",
        {
            **bare,
            "enqueue to start p50, ms": 1e3 * percentile(starts, 0.5),
            "enqueue to start p99, ms": 1e3 * percentile(starts, 0.99),
            "enqueue to start max, ms": 1e3 * max(starts),
        },
        server=server,
    )


def _pushes(url: str) -> bool:
    return url.startswith("postgres")


def _latency(app: Any, pause: tuple[float, float]) -> float:
    time.sleep(random.uniform(*pause))
    before = time.time()
    return float(app.noop.delay().get(timeout=30)) - before


if __name__ == "__main__":
    main()
