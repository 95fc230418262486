"""What worker processes import in tests: a backend that several processes may have, and a kit.

Each process gets a memory backend of its own, since these tests are about processes and not about
tasks; a file tells what happened in which order.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from taskkit.errors import SchemaMismatch
from taskkit.ids import new_id
from taskkit.kit import Kit
from taskkit.memory.backend import MemoryBackend
from taskkit.task import NewTask, Task


class Handler:
    """Does nothing, at once."""

    def handle(self, task: Task) -> None:
        return None

    def get_retry_interval(self, task: Task, exception: Exception) -> float | None:
        return None

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:
        return b""

    def encode_result(self, task: Task, result: Any) -> bytes:
        return b""

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        return None


class Noted:
    """A memory backend in each process, which notes who registers and who is retired."""

    def __init__(self, file: str, *, tasks: int = 0, trouble: str = "") -> None:
        self._file = file
        self._tasks = tasks
        self._trouble = trouble
        self._memory: tuple[int, MemoryBackend] | None = None

    def __reduce__(self) -> Any:
        return _rebuild, (self._file, self._tasks, self._trouble)

    def __getattr__(self, name: str) -> Any:
        if self._memory is None or self._memory[0] != os.getpid():
            memory = MemoryBackend()
            self._memory = (os.getpid(), memory)
            # In the first process only: its successors have nothing to do.
            if self._tasks and not Path(self._file).exists():
                ids = [new_id("work") for _ in range(self._tasks)]
                memory.put([NewTask(id=i, group="work", name="step", data=b"") for i in ids])
        return getattr(self._memory[1], name)

    def capabilities(self) -> Any:
        return replace(MemoryBackend().capabilities(), shared=True)

    def note(self, **what: Any) -> None:
        with Path(self._file).open("a") as file:
            file.write(json.dumps({"pid": os.getpid(), **what}) + "\n")

    def register(self, info: Any, lease: int) -> None:
        if self._trouble:
            raise SchemaMismatch(self._trouble)
        self.__getattr__("register")(info, lease)
        self.note(did="register", worker=info.id)

    def retire(self, worker_id: str, lost: bool = False) -> int:
        if self._trouble:
            raise SchemaMismatch(self._trouble)
        self.note(did="retire", worker=worker_id, lost=lost)
        return self.__getattr__("retire")(worker_id, lost)


def _rebuild(file: str, tasks: int, trouble: str) -> Noted:
    return Noted(file, tasks=tasks, trouble=trouble)


def make_kit(file: str, **options: Any) -> Kit:
    return Kit(Noted(file, **options), Handler())
