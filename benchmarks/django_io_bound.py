"""I/O in a Django project: 2,000 tasks that wait 0.2 s each, 2 processes × 50 threads; and memory.

    python benchmarks/django_io_bound.py [--store mariadb] [--runs 5]

Ideal is 500 tasks/s: 100 at a time, 0.2 s each. The rate counts from the first start to the last
end, as the tasks say. Memory is the PSS of the whole tree (supervisor, template, workers) while
all threads have run tasks.
"""

from __future__ import annotations

import argparse
import json
import statistics

from bench import processes, pss, report, tree, until
from django_workers import call, worker_command
from figures import version
from servers import databases

PROCESSES, THREADS, TASKS, SECONDS = 2, 50, 2_000, 0.2


def measure(url: str) -> tuple[float, float]:
    """Return the share of the ideal that was reached, and MB of the tree."""
    call(url, "django_app.fill(0)")
    command, env = worker_command(url, PROCESSES, f"bench={THREADS}")
    with processes(command, env=env) as (root,):
        workers = "print(len(django_app.kit().stats().workers))"
        until(lambda: int(call(url, workers)) == PROCESSES)
        call(url, f"django_app.io.delay_many([()] * {TASKS})")
        until(lambda: call(url, "print(django_app.left())") == "0\n", every=2)
        memory = pss(tree(root))
    spans = json.loads(call(url, "import json; print(json.dumps(django_app.results('io')))"))
    took = max(end for _, end in spans) - min(began for began, _ in spans)
    return TASKS * SECONDS / (PROCESSES * THREADS) / took, memory / 1e6


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("postgres", "mariadb"), default="postgres")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    runs = []
    with databases(arguments.store) as database:
        for _ in range(arguments.runs):
            with database() as url:
                runs.append(measure(url))
                server = version(url)
    shares, memory = zip(*runs, strict=True)
    report(
        f"django_io_bound_{arguments.store}",
        {
            "share of the ideal 500 tasks/s (median)": statistics.median(shares),
            "PSS with supervisor and template, MB (median)": statistics.median(memory),
        },
        server=server,
    )


if __name__ == "__main__":
    main()
