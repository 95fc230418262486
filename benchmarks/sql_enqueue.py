"""Enqueue: tasks a second from one thread, one by one and in bulk, against bare inserts.

    python benchmarks/sql_enqueue.py [--store mariadb] [--rounds 20] [--seconds 1]

One by one is ``delay()``, a commit each, against an INSERT of one row of that size by the same
driver, a commit each, into a table without further indexes. Bulk is ``delay_many`` of 1,000
against an INSERT of 1,000 rows. The four take turns, so that what else the machine does meets all.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

from bare import BARE, rows
from bench import app_on, report
from figures import version
from servers import databases, store_argument

BULK = 1_000


def rate(step: Callable[[], int], seconds: float) -> float:
    """Return how many tasks or rows a second a step puts, repeated for some time."""
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        done += step()
    return done / took


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    store_argument(parser)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1)
    arguments = parser.parse_args()
    with databases(arguments.store) as database, database() as url:
        app, bare = app_on(url), BARE[arguments.store](url)
        app.kit.backend.migrate()
        steps = _steps(app, bare)
        rates: dict[str, list[float]] = {name: [] for name in steps}
        for step in steps.values():
            step()  # connections made, statements compiled and prepared
        for _ in range(arguments.rounds):
            for name, step in steps.items():
                rates[name].append(rate(step, arguments.seconds))
        server = version(url)
        app.kit.close()
    one, bare_one, bulk, bare_bulk = (statistics.median(values) for values in rates.values())
    report(
        f"sql_enqueue_{arguments.store}",
        {
            "one by one, tasks/s (median)": one,
            "bare single-row INSERT, rows/s (median)": bare_one,
            "ratio, one by one": one / bare_one,
            "bulk, tasks/s (median)": bulk,
            f"bare INSERT of {BULK}, rows/s (median)": bare_bulk,
            "ratio, bulk": bulk / bare_bulk,
        },
        server=server,
    )


def _steps(app: object, bare: object) -> dict[str, Callable[[], int]]:
    def one() -> int:
        app.noop.delay()  # type: ignore[attr-defined]  # app.py
        return 1

    prepared = iter(())

    def bare_one() -> int:
        nonlocal prepared
        row = next(prepared, None)
        if row is None:
            prepared = iter(rows(10_000))
            row = next(prepared)
        bare.one(row)  # type: ignore[attr-defined]  # of bare.py
        return 1

    def bulk() -> int:
        app.noop.delay_many([()] * BULK)  # type: ignore[attr-defined]  # app.py
        return BULK

    def bare_bulk() -> int:
        bare.many(rows(BULK))  # type: ignore[attr-defined]  # of bare.py
        return BULK

    return {"one": one, "bare one": bare_one, "bulk": bulk, "bare bulk": bare_bulk}


if __name__ == "__main__":
    main()
