"""Worker processes are killed, many at once."""

from __future__ import annotations

import os
import signal

import pytest
from system import eventually

pytestmark = pytest.mark.timeout(400)

TASKS, PROCESSES, ROUNDS = 2_000, 4, 5


def test_twenty_killed_workers_lose_no_task(system):
    system.start(PROCESSES, 4)
    system.app.work.delay_many([(number,) for number in range(TASKS)])
    for _ in range(ROUNDS):
        system.wait_for_more(50)
        victims = eventually(lambda: busy(system), "all workers run tasks")
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        eventually(
            lambda victims=victims: victims.isdisjoint(system.workers().values()),
            "the supervisor ends the leases of the dead",
        )
    system.wait_for_end(TASKS)
    # Who was killed between the end of a task and its settlement has run it in vain.
    assert set(system.noted("ended")) == set(range(TASKS))


def busy(system):
    """Return the pids of all workers if every one of them runs a task."""
    records = system.kit.backend.workers()
    running = {record.info.pid for record in records if record.running}
    return running if len(running) == PROCESSES else None
