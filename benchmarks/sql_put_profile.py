"""Where the microseconds of one put go: from the bare INSERT to ``delay()``, a step at a time.

    python benchmarks/sql_put_profile.py [--store mariadb] [--rounds 40]

Each line adds something to the one before: the task's own table and statement, a connection of the
pool, the rules of the backend, the program's call. They take turns, 60 puts at a time; told is the
median of the rounds, in microseconds of the clock on the wall.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from bare import BARE, rows
from bench import app_on, report
from figures import version
from servers import databases, store_argument

from taskkit.ids import new_id
from taskkit.task import NewTask
from taskkit_relational.rows import alone_row

AT_ONCE = 60


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    store_argument(parser)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    with databases(arguments.store) as database, database() as url:
        app, bare = app_on(url), BARE[arguments.store](url)
        app.kit.backend.migrate()
        app.noop.delay()
        told: dict[str, list[float]] = {}
        steps = _steps(app, bare)
        for _ in range(arguments.rounds):
            for name, step in steps.items():
                told.setdefault(name, []).append(_microseconds(step))
        server = version(url)
        app.kit.close()
    figures: dict[str, float | str] = {
        f"{name}, us": statistics.median(values[3:]) for name, values in told.items()
    }
    report(f"sql_put_profile_{arguments.store}", figures, server=server)


def _microseconds(step: Callable[[], object]) -> float:
    began = time.perf_counter()
    for _ in range(AT_ONCE):
        step()
    return (time.perf_counter() - began) / AT_ONCE * 1e6


def _steps(app: Any, bare: Any) -> dict[str, Callable[[], object]]:
    backend = app.kit.backend
    store = backend._store  # noqa: SLF001 - what it is made of is what is measured here
    database, shortcuts, steered = store.database, store.shortcuts, store.controlled.version
    news = database.server.news(wakes=True, finished=False)
    own = database._lending().take().direct  # noqa: SLF001 - as above
    prepared = iter(rows(1_000_000 // AT_ONCE))

    def new() -> NewTask:
        return NewTask(id=new_id("bench"), group="bench", name="noop", data=b'{"a":[],"k":{}}')

    def pooled() -> None:
        with database.connected(direct=True) as cursor:
            shortcuts.insert_alone(cursor, alone_row(new(), None), steered, news)

    return {
        "bare INSERT": lambda: bare.one(next(prepared)),
        "the put's own statement": (
            lambda: shortcuts.insert_alone(own, alone_row(new(), None), steered, news)
        ),
        "with a connection of the pool": pooled,
        "with the rules: Backend.put": lambda: backend.put([new()]),
        "with the task's call: delay()": app.noop.delay,
    }


if __name__ == "__main__":
    main()
