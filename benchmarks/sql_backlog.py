"""Backlog on a server: how much slower claims are beside many tasks that they must not touch.

    python benchmarks/sql_backlog.py [--store mariadb] [--runs 25] [--scale 1]

1,000 due tasks are claimed by 256 and settled with results, as a worker does it, in turn on four
stores of one server: an empty one, one with 1,000,000 waiting and 1,000,000 finished tasks, one
with 10,000 due tasks behind a lock key whose holder runs, and one with 5,000,000 finished tasks.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

from bench import report
from copied import GROUP, WORKER, add_finished, add_waiting, analyse, drain, put, register
from figures import version
from servers import databases, store_argument

from taskkit import connect
from taskkit.backend import Backend
from taskkit.task import After

DUE = 1_000
MILLION = 1_000_000


def rate(backend: Backend) -> float:
    """Return the rate at which due tasks are claimed and settled."""
    put(backend, DUE, After(0))
    began = time.perf_counter()
    drain(backend, DUE)
    return DUE / (time.perf_counter() - began)


def lock(backend: Backend, count: int) -> None:
    """Put tasks behind a lock key; the first of them runs and goes on running."""
    put(backend, 1, After(0), "key")
    assert len(backend.claim(WORKER, {GROUP: 1}).claims) == 1
    put(backend, count, After(0), "key")


def fillings(scale: float) -> dict[str, Callable[[Backend, str], None]]:
    """Return what fills each store before anything is measured."""
    million = int(MILLION * scale)

    def mixed(backend: Backend, url: str) -> None:
        add_waiting(backend, url, million)
        add_finished(backend, url, million)

    return {
        "alone": lambda *_: None,
        f"among {million} waiting and {million} finished": mixed,
        f"beside {int(10_000 * scale)} behind a lock": (
            lambda backend, _: lock(backend, int(10_000 * scale))
        ),
        f"among {5 * million} finished": (
            lambda backend, url: add_finished(backend, url, 5 * million)
        ),
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    store_argument(parser)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--scale", type=float, default=1)
    arguments = parser.parse_args()
    with databases(arguments.store) as database, ExitStack() as stack:
        stores: dict[str, Backend] = {}
        for name, fill in fillings(arguments.scale).items():
            url, began = stack.enter_context(database()), time.perf_counter()
            stores[name] = connect("sql", url=url)
            stack.callback(stores[name].close)
            register(stores[name])
            fill(stores[name], url)
            analyse(url)
            took = time.perf_counter() - began
            held = {count.state.value: count.count for count in stores[name].count()}
            print(f"{name}: filled with {held} in {took:.0f} s", flush=True)
        for backend in stores.values():
            rate(backend)  # connections made, statements prepared, pages read
        runs = [
            {name: rate(backend) for name, backend in stores.items()} for _ in range(arguments.runs)
        ]
        server = version(url)
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
    figures: dict[str, float | str] = {
        f"{name}, tasks/s (median)": value for name, value in medians.items()
    }
    alone, *others = medians
    figures |= {f"ratio, {name}": medians[name] / medians[alone] for name in others}
    report(f"sql_backlog_{arguments.store}", figures, server=server)


if __name__ == "__main__":
    main()
