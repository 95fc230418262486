"""Idle: what 2 worker processes cost while nothing is to do, and how soon a task starts then.

    python benchmarks/idle.py [--seconds 30] [--samples 300]

On SQLite, 8 threads a process. CPU is that of the whole tree, in percent of one core. Store calls
are counted in the workers by a wrapper around the backend (``counted_app.py``). The latency is from
just before ``delay()`` to the first line of the task, one at a time, workers idle in between.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from bench import cpu_seconds, percentile, processes, report, tree, until, worker_command

PROCESSES = 2


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--samples", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        url = f"sqlite:///{folder}/taskkit.db"
        os.environ["TASKKIT_URL"] = url
        import app

        app.kit.backend.migrate()
        command, env = worker_command(url, PROCESSES, "bench=8")
        command[command.index("app:kit")] = "counted_app:kit"
        env["COUNT_FOLDER"] = folder
        with processes(command, env=env) as (root,):
            until(lambda: len(app.kit.stats().workers) == PROCESSES)
            app.noop.delay().get(timeout=10)
            time.sleep(3)  # let start-up be over
            calls, cpu = _calls(folder), cpu_seconds(tree(root))
            time.sleep(arguments.seconds)
            calls, cpu = _calls(folder) - calls, cpu_seconds(tree(root)) - cpu
            latencies = [_latency(app) for _ in range(arguments.samples)]
        app.kit.close()
    report(
        "idle",
        {
            "CPU of the tree, % of a core": 100 * cpu / arguments.seconds,
            "store calls a second and process": calls / arguments.seconds / PROCESSES,
            "enqueue to start p50, ms": 1e3 * percentile(latencies, 0.5),
            "enqueue to start p99, ms": 1e3 * percentile(latencies, 0.99),
        },
    )


def _calls(folder: str) -> int:
    # Each call appends one byte to its process's file.
    return sum(path.stat().st_size for path in Path(folder).glob("calls-*"))


def _latency(app: object) -> float:
    time.sleep(random.uniform(0.02, 0.12))
    before = time.time()
    return app.noop.delay().get(timeout=10) - before  # type: ignore[attr-defined]  # app.py


if __name__ == "__main__":
    sys.exit(main())
