"""How long Django's admin takes to show tasks among a million.

    python benchmarks/django_admin.py postgres        # or sqlite, mariadb; --tasks 1000000

The tasks are made by the database itself, 300 groups and 50 names of them: 88 % have succeeded,
6 % are queued, 2 % wait, 1.5 % are behind a lock, 1 % failed, the rest is cancelled, lost or
running.
Each page is asked for through Django's test client, all of it from the URL to the HTML. Told are
the median and the best of seven times, the processor's time of this process (with SQLite that is
all of it), and the queries. Results: ``results/django_admin_STORE.json``.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any
from urllib.parse import urlsplit

from bench import report
from servers import STORES, databases

HERE = Path(__file__).parent
TIMES = 7
HOUR = 3_600_000_000

NUMBERS: Mapping[str, str] = {
    "sqlite": "WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number "
    "WHERE n < {most} - 1)",
    "postgresql": "WITH number (n) AS (SELECT generate_series(0, {most} - 1))",
    "mysql": "WITH number (n) AS (SELECT seq FROM seq_0_to_{last})",
}
DATA: Mapping[str, str] = {
    "sqlite": "CAST('{text}' AS BLOB)",
    "postgresql": "convert_to('{text}', 'UTF8')",
    "mysql": "'{text}'",
}
PADDED: Mapping[str, str] = {
    "sqlite": "printf('%032d', n)",
    "postgresql": "lpad(n::text, 32, '0')",
    "mysql": "lpad(n, 32, '0')",
}
FILL = """
INSERT INTO taskkit_task (id, state, grp, name, priority, due, created, retention, token, attempt,
    retry_count, losses, cancelling, lock_limit, worker_id, began, done, purge_at, lock_key,
    failure, data)
{numbers}, made AS (SELECT n, 'g' || (n % 300) AS grp, CASE WHEN n % 1000 < 880 THEN 4
    WHEN n % 1000 < 940 THEN 1 WHEN n % 1000 < 960 THEN 0 WHEN n % 1000 < 975 THEN 2
    WHEN n % 1000 < 985 THEN 5 WHEN n % 1000 < 995 THEN 7 WHEN n % 1000 < 999 THEN 6
    WHEN n < 200000 THEN 3 ELSE 4 END AS state FROM number)
SELECT grp || '_' || {padded}, state, grp, 'shop.tasks.t' || (n % 50), n % 7, {now} + n * 1000,
    {now}, 604800000000, n, 1, 0, 0, 0, 1, CASE WHEN state = 3 THEN 'w' || (n % 40) END,
    CASE WHEN state > 2 THEN {now} + n END, CASE WHEN state > 3 THEN {now} + n + 5 END,
    CASE WHEN state > 3 THEN {now} + n + 604800000005 END,
    CASE WHEN state = 2 THEN 'lock' || (n % 10) END,
    CASE WHEN state > 4 THEN '["ValueError","no such thing","Traceback"]' END, {data}
FROM made
"""
PARTS = ("failed", "lost", "running", "queued", "blocked", "waiting", "finished", "cancelled")
PAGES = (
    *(f"{part}task/" for part in PARTS),
    "failedtask/?q=name:shop.tasks.t3",
    "failedtask/?q=t49",
    "queuedtask/?q=group:g7",
    "finishedtask/?q=group:g7",
    "finishedtask/?q=t49",
    "task/",
    "group/",
    "tasksummary/",
    "worker/",
    "scheduleentry/",
)


def main() -> None:
    """Fill a database, then ask for pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", choices=STORES)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    arguments = parser.parse_args()
    with databases(arguments.store) as give, give() as url:
        set_up(url)
        fill(arguments.tasks)
        found = {page: measure(page) for page in PAGES}
    figures: dict[str, float | str] = {
        f"`{page}`: median ms, queries": f"{numbers['median_ms']}, {numbers['queries']}"
        for page, numbers in found.items()
    }
    report(f"django_admin_{arguments.store}", figures, tasks=arguments.tasks, pages=found)


def set_up(url: str) -> None:
    """Set Django up on a database: the project of the package's tests, with its admin."""
    sys.path.insert(0, str(HERE.parent / "packages" / "taskkit-django" / "tests"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    import django
    from django.conf import settings

    parts = urlsplit(url)
    kind = parts.scheme.partition("+")[0]
    if kind == "sqlite":
        database: dict[str, Any] = {"NAME": url.removeprefix("sqlite:///")}
        engine = "sqlite3"
    else:
        engine = "postgresql" if kind == "postgresql" else "mysql"
        database = {
            "NAME": parts.path[1:],
            "USER": parts.username or "",
            "PASSWORD": parts.password or "",
            "HOST": parts.hostname,
            "PORT": str(parts.port),
        }
    if engine == "mysql":
        import pymysql

        pymysql.install_as_MySQLdb()
    settings.DATABASES = {"default": {"ENGINE": f"django.db.backends.{engine}", **database}}
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def fill(most: int) -> None:
    """Make the tasks."""
    from django.db import connection
    from django.utils.timezone import now

    vendor = connection.vendor
    sql = FILL.format(
        numbers=NUMBERS[vendor].format(most=most, last=most - 1),
        padded=PADDED[vendor],
        data=DATA[vendor].format(text='{"to": "a@b.c", "password": "hunter2"}'),
        now=int(now().timestamp() * 1_000_000) - HOUR,
    )
    with connection.cursor() as cursor:
        if vendor == "mysql":
            cursor.execute("SET SESSION sql_mode = CONCAT(@@sql_mode, ',PIPES_AS_CONCAT')")
        cursor.execute(sql)
        if vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE taskkit_task")


def measure(page: str) -> dict[str, float]:
    """Return milliseconds of a page, and its queries."""
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    user, _ = User.objects.get_or_create(username="admin", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    client.get(f"/admin/taskkit/{page}")  # templates are compiled once
    times, processor = [], process_time()
    for _ in range(TIMES):
        began = perf_counter()
        answer = client.get(f"/admin/taskkit/{page}")
        times.append((perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer
    processor = (process_time() - processor) / TIMES * 1000
    with CaptureQueriesContext(connection) as queries:
        client.get(f"/admin/taskkit/{page}")
    return {
        "median_ms": round(median(times), 1),
        "best_ms": round(min(times), 1),
        "processor_ms": round(processor, 1),
        "queries": len(queries),
    }


if __name__ == "__main__":
    main()
