"""Latency in a Django project: from just before ``delay()`` to the task's first line, idle worker.

    python benchmarks/django_latency.py [--store mariadb] [--samples 300]
        [--peer-samples 40] [--pause 0.2 0.7]

One worker process with 8 threads, one task at a time, nothing for some time before it. Both ends
are read from the same machine's clock. On PostgreSQL the bare push stands beside it, the least that
carries a row from one process into another (``pushed.py``). The peers that are installed stand
beside both, with one worker process each (pip install django-taskq django-tasks-db): see
``peer_latency.py``.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from typing import Any

import peer_latency
from bench import milliseconds, processes, report, until
from django_workers import environment, worker_command
from figures import version
from peer_latency import Peer
from pushed import latencies
from servers import databases

PEERS = {
    "django-taskq": Peer("taskq_app", ("django_taskq",), "django-taskq"),
    "django-tasks-db": Peer("tasks_db_app", ("django_tasks_db",), "django-tasks-db"),
}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("postgres", "mariadb"), default="postgres")
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--pause", type=float, nargs=2, default=(0.2, 0.7), metavar="SECONDS")
    peer_latency.samples_argument(parser, 40)
    arguments = parser.parse_args()
    with databases(arguments.store) as database:
        with database() as url:
            starts, pushes = _measure(url, arguments.samples, arguments.pause)
            server = version(url)
        peers = peer_latency.latencies(
            PEERS,
            database,
            samples=arguments.peer_samples,
            pause=arguments.pause,
            workers=1,
        )
    report(
        f"django_latency_{arguments.store}",
        {
            **(milliseconds("bare push", pushes) if pushes else {}),
            **milliseconds("enqueue to start", starts),
            "enqueue to start max, ms": 1e3 * max(starts),
            **peer_latency.compared(starts, peers),
        },
        server=server,
    )


def _measure(url: str, samples: int, pause: tuple[float, float]) -> tuple[list[float], list[float]]:
    """Return the latencies of taskkit and of the bare push."""
    os.environ.update(environment(url))
    import django_app as app

    app.fill(0)
    command, env = worker_command(url, 1, "bench=8")
    with processes(command, env=env):
        until(lambda: len(app.kit().stats().workers) == 1)
        for _ in range(10):  # connections made, statements compiled
            app.noop.delay().get(timeout=10)
        starts = [_latency(app, pause) for _ in range(samples)]
    app.kit().close()
    # MariaDB cannot push.
    return starts, latencies(url, samples, pause) if url.startswith("postgres") else []


def _latency(app: Any, pause: tuple[float, float]) -> float:
    time.sleep(random.uniform(*pause))
    before = time.time()
    result = app.noop.delay()
    # Asked for only when it is over, as of the peers: who waits for it works at the same time.
    time.sleep(peer_latency.LOOK)
    return float(result.get(timeout=30)) - before


if __name__ == "__main__":
    main()
