"""The no-op task for django-tasks-db (a peer, see ``peer.py``): one task at a time a process.

It stores results.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django_peer import configure
from peer import Put, note_start, timed

configure(
    "django_tasks",
    "django_tasks_db",
    TASKS={"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
)

from django_tasks import TaskResultStatus, task  # noqa: E402 - it needs the settings
from django_tasks_db.models import DBTaskResult  # noqa: E402 - it needs the settings


@task()
def noop() -> None:
    """Do nothing; note when."""
    note_start()


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    yield timed(noop.enqueue)


def fill(count: int) -> None:
    """Make the tables and enqueue so many tasks."""
    call_command("migrate", verbosity=0)
    with producer() as put:
        for _ in range(count):
            put()


def work() -> None:
    """Run a worker until SIGTERM, which looks every 10 ms while nothing is to do."""
    call_command("db_worker", verbosity=0, reload=False, interval=0.01)


def left() -> int:
    """Return how many tasks are not done."""
    return DBTaskResult.objects.exclude(status=TaskResultStatus.SUCCESSFUL).count()
