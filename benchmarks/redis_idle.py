"""Idle: what 2 worker processes × 50 threads cost while nothing is to do, and how soon they start.

    python benchmarks/redis_idle.py [--seconds 30] [--samples 500]

CPU is that of the whole tree, in percent of a core and process. Commands are those that we send; a
script counts as one, whatever it calls. Start is from just before ``delay()`` to the first line of
the task, result to when ``Result.get`` has returned; one at a time, workers idle in between. Beside
it the bare push, the least that carries a word from one process into another (``pushed.py``).
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
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
from pushed import latencies
from redis_place import commands, server, version

PROCESSES, THREADS = 2, 50
PAUSE = 0.02, 0.12
SENT = ("evalsha", "eval", "script|load", "subscribe", "info", "get", "setnx", "wait")
"""What we send; everything else is called by scripts."""


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--samples", type=int, default=500)
    arguments = parser.parse_args()
    with server() as found, found.database() as url:
        figures = _measure(url, arguments.seconds, arguments.samples)
        told = version(url)
    report("redis_idle", figures, server=told)


def _measure(url: str, seconds: float, samples: int) -> dict[str, float | str]:
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
        spans = [_span(app) for _ in range(samples)]
        app.kit.close()
    pushes = latencies(url, samples, PAUSE)
    starts, ends = zip(*spans, strict=True)
    share = seconds * PROCESSES
    return {
        "CPU, % of a core and process": 100 * cpu / share,
        "commands a second and process": sum(calls[name] for name in SENT) / share,
        "PSS of the tree, MB": memory / 1e6,
        "bare push p50, ms": 1e3 * percentile(pushes, 0.5),
        "bare push p99, ms": 1e3 * percentile(pushes, 0.99),
        "enqueue to start p50, ms": 1e3 * percentile(starts, 0.5),
        "enqueue to start p99, ms": 1e3 * percentile(starts, 0.99),
        "enqueue to result in hand p50, ms": 1e3 * percentile(ends, 0.5),
        "enqueue to result in hand p99, ms": 1e3 * percentile(ends, 0.99),
    }


def _span(app: Any) -> tuple[float, float]:
    time.sleep(random.uniform(*PAUSE))
    before = time.time()
    began = float(app.noop.delay().get(timeout=10))
    return began - before, time.time() - before


if __name__ == "__main__":
    main()
