"""I/O: 2,000 tasks that wait 0.2 s each, 2 processes × 50 threads on SQLite; and their memory.

    python benchmarks/io_bound.py [--runs 5]

Ideal is 500 tasks/s: 100 at a time, 0.2 s each. The rate counts from the first start to the last
end, as the tasks say. Memory is the PSS of the whole tree (supervisor, template, workers) while
all threads have run tasks.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from bench import processes, pss, report, tree, until, worker_command

PROCESSES, THREADS, TASKS, SECONDS = 2, 50, 2_000, 0.2


def measure(folder: str) -> tuple[float, float, float]:
    """Return the share of the ideal that was reached, and MB of the workers and of the tree."""
    url = f"sqlite:///{folder}/taskkit.db"
    os.environ["TASKKIT_URL"] = url
    sys.modules.pop("app", None)
    import app

    app.kit.backend.migrate()
    command, env = worker_command(url, PROCESSES, f"bench={THREADS}")
    with processes(command, env=env) as (root,):
        until(lambda: len(app.kit.stats().workers) == PROCESSES)
        app.io.delay_many([()] * TASKS)
        until(lambda: app.kit.stats().count("bench", "succeeded") == TASKS)
        whole = tree(root)
        workers = {worker.info.pid for worker in app.kit.stats().workers}
        memory, all_memory = pss([p for p in whole if p in workers]), pss(whole)
    spans = app.results("io")
    app.kit.close()
    took = max(end for _, end in spans) - min(began for began, _ in spans)
    ideal = TASKS * SECONDS / (PROCESSES * THREADS)
    return ideal / took, memory / 1e6, all_memory / 1e6


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = []
    for _ in range(parser.parse_args().runs):
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            runs.append(measure(folder))
    shares, memory, all_memory = zip(*runs, strict=True)
    report(
        "io_bound",
        {
            "share of the ideal 500 tasks/s (median)": statistics.median(shares),
            "PSS of the workers, MB (median)": statistics.median(memory),
            "PSS with supervisor and template, MB (median)": statistics.median(all_memory),
        },
    )


if __name__ == "__main__":
    main()
