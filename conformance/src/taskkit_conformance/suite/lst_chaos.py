"""Tasks that kill their worker."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Any

from taskkit import Kit
from taskkit.clock import SECOND
from taskkit.memory import MemoryBackend
from taskkit.records import WorkerInfo
from taskkit.task import NewTask, State, Task
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves

_PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Handler:
    """Tells in which process a task ran, or kills it."""

    def handle(self, task: Task) -> int:
        """Return the process's pid, unless the task is poison."""
        if task.name == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    def get_retry_interval(self, task: Task, exception: Exception) -> None:
        """Retry nothing."""

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:  # noqa: ARG002
        """Encode nothing: there is no data."""
        return b""

    def encode_result(self, task: Task, result: int) -> bytes:  # noqa: ARG002
        """Encode a pid."""
        return b"%d" % result

    def decode_result(self, task: Task, encoded: bytes) -> int:  # noqa: ARG002
        """Decode a pid."""
        return int(encoded)


@proves("LST-05", lane="chaos")
def lost_once_runs_alone(case: Case) -> None:
    """What was lost once runs in a child: it may kill that, and its neighbours do not notice."""
    backend = MemoryBackend()
    poison, suspect, neighbour = (
        case.task(name=name, max_lost=2) for name in ("poison", "suspect", "neighbour")
    )
    _lose(backend, poison, suspect)
    backend.put([neighbour])
    with Kit(backend, Handler()).running({"g": 2}):
        for task in (poison, suspect, neighbour):
            case.require(
                backend.wait_done(task.id, _PATIENCE), f"expected {task.id} to end in time"
            )
        records = backend.get([poison.id, suspect.id, neighbour.id])
        ran_here = {
            task_id: record.result == b"%d" % os.getpid()
            for task_id, record in records.items()
            if record is not None and record.state is State.SUCCEEDED
        }
        expected = {suspect.id: False, neighbour.id: True}
        case.equal(ran_here, expected, "which tasks ran in the worker's own process")
        ended = records[poison.id]
        case.require(
            ended is not None and ended.state is State.LOST and ended.losses == 2,
            f"expected {poison.id} to have killed its child and be lost",
            found=ended,
        )


def _lose(backend: MemoryBackend, *tasks: NewTask) -> None:
    """Put tasks and let a worker die with them."""
    backend.put(tasks)
    backend.register(WorkerInfo("dead", {"g": len(tasks)}), 60 * SECOND)
    backend.claim("dead", {"g": len(tasks)})
    backend.retire("dead", lost=True)
