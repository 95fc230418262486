"""A worker on a memory backend, in this process, for tests of its behaviour."""

from __future__ import annotations

import ctypes
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from taskkit.errors import UnknownTask
from taskkit.groups import covered
from taskkit.hooks import Hooks
from taskkit.ids import new_id
from taskkit.memory.backend import MemoryBackend
from taskkit.records import Outcome, Record
from taskkit.settings import Slots, WorkerSettings
from taskkit.task import NewTask, State, Task
from taskkit.worker.runtime import WorkerRuntime

PATIENCE = 60.0
"""Seconds after which what a test waits for is not going to happen."""


def eventually(condition: Callable[[], Any], what: str = "") -> Any:
    """Wait until ``condition`` is true and return what it says."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never came true: {what or condition}"
        time.sleep(0.005)
    return value


class Functions:
    """A handler: one function for each task name; what they return is stored as JSON."""

    def __init__(self, **functions: Callable[[Task], Any]) -> None:
        self.functions = functions
        self.retry: Callable[[Task, Exception], float | None] = lambda task, error: None

    def handle(self, task: Task) -> Any:
        try:
            function = self.functions[task.name]
        except KeyError:
            raise UnknownTask(f"no function is called {task.name!r}") from None
        return function(task)

    def get_retry_interval(self, task: Task, exception: Exception) -> float | None:
        return self.retry(task, exception)

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:
        return json.dumps(data).encode()

    def encode_result(self, task: Task, result: Any) -> bytes:
        return json.dumps(result).encode()

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        return json.loads(encoded)


class Gate:
    """Tasks that wait here until the test lets them go on."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._entered: list[str] = []

    def __call__(self, task: Task) -> str:
        self._entered.append(task.id)
        # In small steps: an exception raised in this thread lands between two of them.
        while not self._open.wait(0.005):
            pass
        return "through"

    def open(self) -> None:
        self._open.set()

    def entered(self, count: int = 1) -> list[str]:
        eventually(lambda: len(self._entered) >= count, f"{count} tasks at the gate")
        return list(self._entered)

    @property
    def inside(self) -> int:
        return len(self._entered)


class Bench:
    """A backend, and the workers that a test starts on it."""

    def __init__(self) -> None:
        self.backend: Any = MemoryBackend()
        self._running: list[WorkerRuntime] = []
        self._gates: list[Gate] = []

    handler = Functions
    eventually = staticmethod(eventually)

    def gate(self) -> Gate:
        self._gates.append(Gate())
        return self._gates[-1]

    def worker(
        self, handler: Any, groups: dict[str, int | str] | None = None, **settings: Any
    ) -> WorkerRuntime:
        """Start a worker; it is stopped after the test."""
        backend = settings.pop("backend", self.backend)
        hooks = settings.pop("hooks", None) or Hooks()
        given = {"heartbeat": 0.05, "lease": 5.0, "poll": 0.5, "services": False, **settings}
        slots = {group: Slots.of(count) for group, count in (groups or {"g": 2}).items()}
        runtime = WorkerRuntime(backend, handler, hooks, WorkerSettings(groups=slots, **given))
        runtime.start()
        self._running.append(runtime)
        return runtime

    def put(self, name: str, group: str = "g", **fields: Any) -> str:
        task = NewTask(
            **{"id": new_id(group), "group": group, "name": name, "data": b"{}"} | fields
        )
        self.backend.put([task])
        return task.id

    def record(self, task_id: str) -> Record:
        record = self.backend.get([task_id])[task_id]
        assert record is not None
        return record

    def finished(self, task_id: str) -> Record:
        eventually(lambda: self.record(task_id).state.finished, f"{task_id} finished")
        return self.record(task_id)

    def claims(self, group: str) -> bool:
        """Return whether the first worker still claims of this group."""
        return not covered(group, by=self._running[0]._parts.claimer.excluding)

    def in_state(self, state: State, *task_ids: str) -> None:
        def states() -> set[State]:
            return {self.record(task_id).state for task_id in task_ids}

        eventually(lambda: states() == {state}, f"{task_ids} {state}")

    def outcomes(self, task_id: str) -> list[Outcome | str]:
        return [attempt.outcome for attempt in self.record(task_id).history]

    def close(self) -> None:
        for gate in self._gates:
            gate.open()
        for runtime in self._running:
            runtime.stop(0)
        for runtime in self._running:
            assert runtime.join(PATIENCE), "the worker did not end"
        with suppress(Exception):
            self.backend.close()


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.close()


class _Settled(Exception):
    pass


@pytest.fixture(autouse=True)
def _no_interrupt_stays_pending():
    """Clear what an attempt leaves that is stuck for ever: an exception that never arrives.

    While one is pending for any thread, CPython 3.11 marks all of them, and a function that is
    entered under ``sys.setprofile`` or ``sys.settrace`` spins until the mark is gone (other tests
    count calls that way, and coverage traces). One that arrives, here, takes the mark away.
    """
    yield
    identity = ctypes.c_ulong(threading.get_ident())
    with suppress(_Settled):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(_Settled))
        for _ in range(1_000_000):
            pass
        raise AssertionError("the exception did not arrive")
