"""Tasks that kill their worker."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import Any

from taskkit import Kit
from taskkit.clock import SECOND
from taskkit.memory import MemoryBackend
from taskkit.records import Record, WorkerInfo
from taskkit.task import NOW, After, NewTask, State, Task
from taskkit_conformance.case import Case
from taskkit_conformance.check import proves
from taskkit_conformance.patience import Patience

_PATIENCE = 20.0
_LOOK = 0.25


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

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:  # noqa: ARG002 - the protocol's parameter
        """Encode nothing: there is no data."""
        return b""

    def encode_result(self, task: Task, result: int) -> bytes:  # noqa: ARG002 - the protocol's parameter
        """Encode a pid."""
        return b"%d" % result

    def decode_result(self, task: Task, encoded: bytes) -> int:  # noqa: ARG002 - the protocol's parameter
        """Decode a pid."""
        return int(encoded)


@proves("LST-05", lane="chaos")
def lost_once_runs_alone(case: Case) -> None:
    """What was lost once runs in a child: it may kill that, and its neighbours do not notice."""
    backend = MemoryBackend()
    suspect, neighbour, witness = (case.task(name=name) for name in ("suspect", "calm", "witness"))
    poison = case.task(name="poison", max_lost=2)
    _lose(backend, suspect, poison)
    backend.reschedule([poison.id], After(3600 * SECOND))
    with Kit(backend, Handler()).running({"g": 2}):
        backend.put([neighbour])
        ran_here = {
            task.id: _end(case, backend, task.id).result == b"%d" % os.getpid()
            for task in (suspect, neighbour)
        }
        expected = {suspect.id: False, neighbour.id: True}
        # Before there is poison, which would kill us if it ran here.
        case.equal(ran_here, expected, "which tasks ran in the worker's own process")
        backend.reschedule([poison.id], NOW)
        backend.put([witness])
        ended = _end(case, backend, poison.id)
        case.require(
            ended.state is State.LOST and ended.losses == 2,
            f"expected {poison.id} to have killed its child and be lost",
            found=ended,
        )
        beside = _end(case, backend, witness.id)
        case.equal(beside.state, State.SUCCEEDED, "the end of what ran beside the poison")


def _end(case: Case, backend: MemoryBackend, task_id: str) -> Record:
    """Return the record of a task when it has ended."""
    limit = Patience(_PATIENCE)
    while not backend.wait_done(task_id, _LOOK):
        case.require(not limit.is_over(), f"expected {task_id} to end in time")
    record = backend.get([task_id])[task_id]
    assert record is not None
    return record


def _lose(backend: MemoryBackend, *tasks: NewTask) -> None:
    """Put tasks and let a worker die with them."""
    backend.put(tasks)
    backend.register(WorkerInfo("dead", {"g": len(tasks)}), 60 * SECOND)
    backend.claim("dead", {"g": len(tasks)})
    backend.retire("dead", lost=True)
