"""The tasks that the benchmarks run, for taskkit's workers; ``TASKKIT_URL`` says on which store."""

from __future__ import annotations

import json
import os
import time

from taskkit import Kit, TaskRegistry, current_task

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


@tasks.task(group="bench", name="noted")
def noted(number: int) -> None:
    """Work for half a second; notes the start and the end, and the worker's pid."""
    # A task that was lost once runs in a child of its own, whose worker is not its parent.
    worker = int(current_task().worker_id.rsplit("-", 2)[1])
    with open(os.environ["NOTES"], "a") as file:  # noqa: PTH123 - one write, appended whole
        file.write(f"start {number} {worker} {time.time()}\n")
    time.sleep(0.5)
    with open(os.environ["NOTES"], "a") as file:  # noqa: PTH123 - one write, appended whole
        file.write(f"end {number} {worker} {time.time()}\n")


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
