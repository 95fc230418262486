"""Backlog: the rate of draining 1,000 due tasks among 1,000,000 waiting ones, on SQLite.

    python benchmarks/backlog.py [--runs 5] [--waiting 1000000]

Measured where it matters, in the store: claims of 256 and settles with results, as a worker does
them, once on an otherwise empty store and once beside the backlog; the ratio is the figure.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from bench import report

from taskkit import connect
from taskkit.backend import Backend
from taskkit.ids import new_id
from taskkit.records import Outcome, Settlement, WorkerInfo
from taskkit.task import After, NewTask

DUE, HOUR = 1_000, 3_600_000_000


def fill(backend: Backend, count: int, due: After) -> None:
    """Put so many tasks."""
    for start in range(0, count, 5_000):
        size = min(5_000, count - start)
        backend.put(
            [NewTask(id=new_id("b"), group="b", name="n", data=b"{}", due=due) for _ in range(size)]
        )


def drain(backend: Backend) -> float:
    """Return the rate at which the due tasks are claimed and settled."""
    fill(backend, DUE, After(0))
    done, began = 0, time.perf_counter()
    while claims := backend.claim("w", {"b": 256}).claims:
        backend.settle("w", [Settlement(c.task.id, c.token, Outcome.SUCCEED, b"1") for c in claims])
        done += len(claims)
    assert done == DUE
    return done / (time.perf_counter() - began)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        stores = [connect("sql", url=f"sqlite:///{folder}/{name}.db") for name in ("small", "big")]
        for store in stores:
            store.migrate()
            store.register(WorkerInfo("w", {"b": 256}), HOUR)
            drain(store)  # warm up: statements compiled, pages cached
        fill(stores[1], arguments.waiting, After(HOUR))
        rates = [[drain(store) for store in stores] for _ in range(arguments.runs)]
        for store in stores:
            store.close()
    small, big = (statistics.median(column) for column in zip(*rates, strict=True))
    report(
        "backlog",
        {
            "alone, tasks/s (median)": small,
            f"among {arguments.waiting} waiting, tasks/s (median)": big,
            "ratio": big / small,
        },
    )


if __name__ == "__main__":
    main()
