"""Drain in a Django project: no-op tasks a second, beside the peers that Django has.

    python benchmarks/django_drain.py [--store mariadb] [--runs 5] [--tasks 60000]

taskkit-django with 2 processes × 8 threads, results stored; django-taskq and django-tasks-db with 2
processes each, which do one task at a time (pip install django-taskq django-tasks-db). The server
waits for its disk at every commit. The rate is tasks divided by the time from the first start to
the last, so neither start-up nor observation counts.
"""

from __future__ import annotations

import argparse
import statistics
import sys

import peer
from bench import processes, report
from django_workers import call, worker_command
from figures import version
from servers import databases

PROCESSES, THREADS = 2, 8
PEERS = {"django-taskq": ("taskq_app", 1_000), "django-tasks-db": ("tasks_db_app", 1_000)}


def ours(url: str, count: int) -> float:
    """Return the rate of taskkit-django."""
    call(url, f"django_app.fill({count})")
    command, env = worker_command(url, PROCESSES, f"bench={THREADS}")
    with processes(command, env=env):
        return float(call(url, f"print(peer.rate('django_app', {count}))"))


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("postgres", "mariadb"), default="postgres")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=60_000)
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {"taskkit-django": [], **{name: [] for name in PEERS}}
    with databases(arguments.store) as database:
        for _ in range(arguments.runs):
            with database() as url:
                server = version(url)
                rates["taskkit-django"].append(ours(url, arguments.tasks))
            for name, (module, count) in PEERS.items():
                with database() as url:
                    rates[name].append(peer.measure(module, url, count, PROCESSES))
            print({name: round(values[-1]) for name, values in rates.items()}, file=sys.stderr)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    figures: dict[str, float | str] = {
        f"{name}, tasks/s (median)": value for name, value in medians.items()
    }
    for name in PEERS:
        figures[f"taskkit-django / {name}"] = medians["taskkit-django"] / medians[name]
    report(f"django_drain_{arguments.store}", figures, server=server)


if __name__ == "__main__":
    main()
