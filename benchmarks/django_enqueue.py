"""Enqueue in a transaction of Django: against what the ORM takes for a bare row of that size.

    python benchmarks/django_enqueue.py [--store mariadb] [--rounds 20] [--seconds 1]

One by one is ``with atomic(): noop.delay()`` against ``with atomic(): Row.objects.create(...)``,
into a table with no index but its key. Bulk is ``delay_many`` of 1,000 against ``bulk_create`` of
1,000. The four take turns, so that what else the machine does meets all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from bench import report
from django_workers import environment
from figures import version
from servers import databases

BULK = 1_000


def rate(step: Callable[[], int], seconds: float) -> float:
    """Return how many tasks or rows a second a step puts, repeated for some time."""
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        done += step()
    return done / took


def steps() -> dict[str, Callable[[], int]]:
    """Return what is measured, on tables that are there and empty."""
    import django_app
    from django.core.management import call_command
    from django.db import connection, models, transaction

    class Row(models.Model):  # noqa: DJ008 - nobody looks at it
        """What a task holds at the least, in a table without further indexes."""

        id = models.CharField(max_length=133, primary_key=True)
        state = models.SmallIntegerField()
        grp = models.CharField(max_length=100)
        name = models.CharField(max_length=200)
        priority = models.SmallIntegerField()
        due = models.BigIntegerField()
        created = models.BigIntegerField()
        retention = models.BigIntegerField()
        data = models.BinaryField()

        class Meta:
            app_label = "bench"

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Row)
    numbers = iter(range(1 << 62))

    def row() -> Any:
        number = next(numbers)
        return Row(
            id=f"bench_{number:032x}", state=1, grp="bench", name="noop", priority=0,
            due=number, created=number, retention=604_800_000_000, data=b"{}",
        )  # fmt: skip

    def one() -> int:
        with transaction.atomic():
            django_app.noop.delay()
        return 1

    def bare_one() -> int:
        with transaction.atomic():
            row().save(force_insert=True)
        return 1

    def bulk() -> int:
        with transaction.atomic():
            django_app.noop.delay_many([()] * BULK)
        return BULK

    def bare_bulk() -> int:
        with transaction.atomic():
            Row.objects.bulk_create([row() for _ in range(BULK)])
        return BULK

    return {"one": one, "bare one": bare_one, "bulk": bulk, "bare bulk": bare_bulk}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=("postgres", "mariadb"), default="postgres")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=1)
    arguments = parser.parse_args()
    with databases(arguments.store) as database, database() as url:
        os.environ.update(environment(url))
        rates: dict[str, list[float]] = {}
        measured = steps()
        for step in measured.values():
            step()  # connections made, statements compiled
        for _ in range(arguments.rounds):
            for name, step in measured.items():
                rates.setdefault(name, []).append(rate(step, arguments.seconds))
        from django.db import connection

        connection.close()
        server = version(url)
    one, bare_one, bulk, bare_bulk = (statistics.median(values) for values in rates.values())
    report(
        f"django_enqueue_{arguments.store}",
        {
            "delay() in atomic(), tasks/s (median)": one,
            "ORM create in atomic(), rows/s (median)": bare_one,
            "cost of delay() / create": bare_one / one,
            f"delay_many of {BULK}, tasks/s (median)": bulk,
            f"bulk_create of {BULK}, rows/s (median)": bare_bulk,
            "delay_many / bulk_create": bulk / bare_bulk,
        },
        server=server,
    )


if __name__ == "__main__":
    main()
