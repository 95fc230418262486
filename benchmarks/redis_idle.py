"""Idle: what 2 worker processes × 50 threads cost while nothing is to do, and how soon they start.

    python benchmarks/redis_idle.py [--seconds 30] [--samples 500] [--peer-samples 300]

CPU is that of the whole tree, in percent of a core and process. Commands are those that we send; a
script counts as one, whatever it calls. Start is from just before ``delay()`` to the first line of
the task, result to when ``Result.get`` has returned; one at a time, workers idle in between. Beside
it the bare push, the least that carries a word from one process into another (``pushed.py``), and
the peers that are installed, with 2 worker processes each (pip install huey dramatiq celery rq arq
taskiq-redis): see ``peer_latency.py``.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from typing import Any

import peer_latency
from bench import (
    app_on,
    cpu_seconds,
    milliseconds,
    processes,
    pss,
    report,
    tree,
    until,
    worker_command,
)
from peer_latency import Peer
from pushed import latencies
from redis_place import commands, server, version

PROCESSES, THREADS = 2, 50
PAUSE = 0.02, 0.12
SENT = ("evalsha", "eval", "script|load", "subscribe", "info", "get", "setnx", "wait")
"""What we send; everything else is called by scripts."""
PEERS = {
    "huey": Peer("redis_huey_app", ("huey",), "huey"),
    "dramatiq": Peer(
        "redis_dramatiq_app", ("dramatiq",), "dramatiq", {"dramatiq_worker_timeout": "10"}
    ),
    "celery": Peer("redis_celery_app", ("celery",), "celery"),
    "rq": Peer("redis_rq_app", ("rq",), "rq"),
    "arq": Peer("redis_arq_app", ("arq",), "arq"),
    "taskiq": Peer("redis_taskiq_app", ("taskiq_redis",), "taskiq-redis"),
}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--samples", type=int, default=500)
    peer_latency.samples_argument(parser, 300)
    arguments = parser.parse_args()
    with server() as found:
        with found.database() as url:
            figures, starts = _measure(url, arguments.seconds, arguments.samples)
            told = version(url)
        peers = peer_latency.latencies(
            PEERS,
            found.database,
            samples=arguments.peer_samples,
            pause=PAUSE,
            workers=PROCESSES,
        )
    report("redis_idle", {**figures, **peer_latency.compared(starts, peers)}, server=told)


def _measure(url: str, seconds: float, samples: int) -> tuple[dict[str, float | str], list[float]]:
    """Return the figures, and the latencies of which two are made."""
    app = app_on(url)
    command, env = worker_command(url, PROCESSES, f"bench={THREADS}")
    with processes(command, env=env) as (root,):
        until(lambda: len(app.kit.stats().workers) == PROCESSES)
        app.noop.delay().get(timeout=10)
        app.kit.close()  # what is counted is what the workers do
        time.sleep(5)  # let start-up be over
        cpu, before = cpu_seconds(tree(root)), Counter(commands(url))
        time.sleep(seconds)
        cpu = cpu_seconds(tree(root)) - cpu
        calls = Counter(commands(url)) - before
        memory = pss(tree(root))
        app = app_on(url)
        for _ in range(peer_latency.WARMING):
            _round_trip(app)
        ends = [_round_trip(app) for _ in range(samples)]
        starts = [_start(app) for _ in range(samples)]
        app.kit.close()
    pushes = latencies(url, samples, PAUSE)
    share = seconds * PROCESSES
    figures: dict[str, float | str] = {
        "CPU, % of a core and process": 100 * cpu / share,
        "commands a second and process": sum(calls[name] for name in SENT) / share,
        "PSS of the tree, MB": memory / 1e6,
        **milliseconds("bare push", pushes),
        **milliseconds("enqueue to start", starts),
        **milliseconds("enqueue to result in hand", ends),
    }
    return figures, starts


def _start(app: Any) -> float:
    time.sleep(random.uniform(*PAUSE))
    before = time.time()
    result = app.noop.delay()
    # Asked for only when it is over, as of the peers: who waits for it works at the same time.
    time.sleep(peer_latency.LOOK)
    return float(result.get(timeout=10)) - before


def _round_trip(app: Any) -> float:
    time.sleep(random.uniform(*PAUSE))
    before = time.time()
    app.noop.delay().get(timeout=10)
    return time.time() - before


if __name__ == "__main__":
    main()
