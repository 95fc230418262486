"""I/O: 2,000 tasks that wait 0.2 s each, 2 processes × 50 threads; and their memory.

    python benchmarks/io_bound.py [--store postgres | mariadb] [--runs 5]

Ideal is 500 tasks/s: 100 at a time, 0.2 s each. The rate counts from the first start to the last
end, as the tasks say. Memory is the PSS of the whole tree (supervisor, template, workers) while
all threads have run tasks.
"""

from __future__ import annotations

import argparse
import statistics

from bench import app_on, processes, pss, report, tree, until, worker_command
from figures import version
from servers import databases, named, store_argument

PROCESSES, THREADS, TASKS, SECONDS = 2, 50, 2_000, 0.2


def measure(url: str) -> tuple[float, float, float]:
    """Return the share of the ideal that was reached, and MB of the workers and of the tree."""
    app = app_on(url)
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
    store_argument(parser, "sqlite")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    runs = []
    with databases(arguments.store) as database:
        for _ in range(arguments.runs):
            with database() as url:
                runs.append(measure(url))
                server = version(url)
    shares, memory, all_memory = zip(*runs, strict=True)
    report(
        named("io_bound", arguments.store),
        {
            "share of the ideal 500 tasks/s (median)": statistics.median(shares),
            "PSS of the workers, MB (median)": statistics.median(memory),
            "PSS with supervisor and template, MB (median)": statistics.median(all_memory),
        },
        server=server,
    )


if __name__ == "__main__":
    main()
