"""The tasks that the benchmarks run, for taskkit's workers; ``TASKKIT_URL`` says on which store."""

from __future__ import annotations

import json
import os
import time

from taskkit import Kit, TaskRegistry

tasks = TaskRegistry()


@tasks.task(group="bench", name="noop")
def noop() -> float:
    """Do nothing; the answer tells when."""
    return time.time()


@tasks.task(group="bench", name="io")
def io() -> list[float]:
    """Wait as for a slow server; the answer tells from when to when."""
    began = time.time()
    time.sleep(0.2)
    return [began, time.time()]


kit = Kit.connect(os.environ.get("TASKKIT_URL", "memory://bench"), tasks)


def results(name: str) -> list[float | list[float]]:
    """Return the results of all tasks of a name."""
    found, after = [], None
    while True:
        page = kit.find("bench", "succeeded", name, limit=5_000, after=after)
        found += [json.loads(record.result or b"null") for record in page.records]
        if page.next is None:
            return found
        after = page.next
