"""Latency: from just before ``delay()`` to the first line of the task, on an idle worker.

    python benchmarks/sql_latency.py [--store mariadb] [--samples 300]
        [--peer-samples 200] [--pause 0.2 0.7]

One worker process with 8 threads, one task at a time, nothing for some time before it. Both ends
are read from the same machine's clock. On PostgreSQL the bare push stands beside it, the least that
carries a row from one process into another (``pushed.py``), and the peers that are installed, with
one worker process each (pip install pgqueuer asyncpg uvloop procrastinate): see
``peer_latency.py``.
"""

from __future__ import annotations

import argparse
import random
import time
from typing import Any

import peer_latency
from bench import app_on, milliseconds, processes, report, until, worker_command
from figures import version
from peer_latency import Peer
from pushed import latencies
from servers import databases, store_argument

PEERS = {
    "postgres": {
        "pgqueuer": Peer(
            "pgqueuer_app", ("pgqueuer", "asyncpg", "uvloop"), "pgqueuer asyncpg uvloop"
        ),
        "procrastinate": Peer("procrastinate_app", ("procrastinate",), "procrastinate"),
    }
}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    store_argument(parser)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--pause", type=float, nargs=2, default=(0.2, 0.7), metavar="SECONDS")
    peer_latency.samples_argument(parser, 200)
    arguments = parser.parse_args()
    with databases(arguments.store) as database:
        with database() as url:
            starts, pushes = _measure(url, arguments.samples, arguments.pause)
            server = version(url)
        peers = peer_latency.latencies(
            PEERS.get(arguments.store, {}),
            database,
            samples=arguments.peer_samples,
            pause=arguments.pause,
            workers=1,
        )
    report(
        f"sql_latency_{arguments.store}",
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
    app = app_on(url)
    app.kit.backend.migrate()
    command, env = worker_command(url, 1, "bench=8")
    with processes(command, env=env):
        until(lambda: len(app.kit.stats().workers) == 1)
        for _ in range(10):  # connections made, statements compiled
            app.noop.delay().get(timeout=10)
        starts = [_latency(app, pause) for _ in range(samples)]
    app.kit.close()
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
