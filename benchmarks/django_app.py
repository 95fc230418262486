"""The benchmarks' tasks in a Django project with taskkit; also a peer's module, see ``peer.py``."""

from __future__ import annotations

import json
import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "django_site")
django.setup()

from django.core.management import call_command  # noqa: E402 - it needs the settings

from taskkit_django import task  # noqa: E402 - as above
from taskkit_django.kit import kit as project_kit  # noqa: E402 - as above


@task(group="bench", name="noop")
def noop() -> float:
    """Do nothing; the answer tells when."""
    return time.time()


@task(group="bench", name="io")
def io() -> list[float]:
    """Wait as for a slow server; the answer tells from when to when."""
    began = time.time()
    time.sleep(0.2)
    return [began, time.time()]


def kit():  # noqa: ANN201 - what workers are told to load: with the tasks above
    """Return the project's kit."""
    return project_kit()


def fill(count: int) -> None:
    """Make the tables and enqueue so many tasks."""
    call_command("migrate", verbosity=0)
    for start in range(0, count, 5_000):
        noop.delay_many([()] * min(5_000, count - start))


def left() -> int:
    """Return how many tasks are not done."""
    counts = kit().backend.count(["bench"])
    return sum(count.count for count in counts if not count.state.finished)


def results(name: str) -> list[float | list[float]]:
    """Return the results of all tasks of a name."""
    found, after = [], None
    while True:
        page = kit().find("bench", "succeeded", name, limit=5_000, after=after)
        found += [json.loads(record.result or b"null") for record in page.records]
        if page.next is None:
            return found
        after = page.next


def starts() -> list[float]:
    """Return when each no-op started."""
    return results("noop")
