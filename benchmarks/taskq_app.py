"""The no-op task for django-taskq (a peer, see ``peer.py``): one task at a time a process.

It stores no results: the row of a task is deleted when it is done.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django_peer import configure
from peer import Put, note_start, timed

configure("django_taskq")

from django_taskq.celery import shared_task  # noqa: E402 - it needs the settings
from django_taskq.models import Task  # noqa: E402 - it needs the settings


@shared_task
def noop() -> None:
    """Do nothing; note when."""
    note_start()


@contextmanager
def producer() -> Iterator[Put]:
    """Yield what enqueues one task."""
    yield timed(noop.delay)


def fill(count: int) -> None:
    """Make the tables and enqueue so many tasks."""
    call_command("migrate", verbosity=0)
    with producer() as put:
        for _ in range(count):
            put()


def work() -> None:
    """Run a worker until SIGTERM."""
    # It prints three lines a task; where they go must not be what is measured.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
        call_command("taskq", "-l", "ERROR", stdout=nowhere)


def left() -> int:
    """Return how many tasks are not done."""
    return Task.objects.count()
