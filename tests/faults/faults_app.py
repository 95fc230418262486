"""The tasks that are run while something breaks; each notes in a file when it began and ended."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from taskkit import Kit, TaskRegistry

SECONDS = 0.05

tasks = TaskRegistry()
kit = Kit.connect(
    os.environ["TASKKIT_URL"],
    tasks,
    backend_options=json.loads(os.environ.get("FAULTS_OPTIONS", "{}")),
)


def note(what: str, number: int) -> None:
    """Append a line; short enough to be written whole."""
    with Path(os.environ["FAULTS_NOTES"]).open("a") as file:
        file.write(f"{what} {number} {os.getpid()}\n")


@tasks.task(group="faults", name="work", max_lost=1_000)
def work(number: int) -> int:
    """Take a moment."""
    note("began", number)
    time.sleep(SECONDS)
    note("ended", number)
    return number
