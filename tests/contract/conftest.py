"""The contract: what every backend promises, tested through the protocol alone.

Each test runs against every backend (``-k memory``, ``-k sqlite``) with a clock that only the test
moves. The numbers in the docstrings are those of the promises in the design.
"""

from __future__ import annotations

import importlib
import itertools
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from taskkit import connect
from taskkit.backend import Backend
from taskkit.clock import SECOND, ManualClock
from taskkit.memory import MemoryBackend
from taskkit.records import (
    Claim,
    Heartbeat,
    Outcome,
    Query,
    Record,
    Settlement,
    WorkerInfo,
)
from taskkit.task import NOW, Failure, Instant, NewTask, State

T0 = 1_700_000_000 * SECOND
BOOM = Failure("ValueError", "boom", "Traceback …\nValueError: boom")


class Driver:
    """A backend, its clock, and short ways to say what the tests say often."""

    def __init__(self, backend: Backend, clock: ManualClock) -> None:
        self.backend = backend
        self.clock = clock
        self._numbers = itertools.count(1)

    def reset(self) -> None:
        """Begin anew, for the next example."""
        self.backend.clear()
        self.clock.set(T0)

    # ---- time, in seconds from the start

    def at(self, seconds: float) -> int:
        return T0 + round(seconds * SECOND)

    def move_to(self, seconds: float) -> None:
        self.clock.set(self.at(seconds))

    # ---- tasks

    def task(self, group: str = "mail", number: int | None = None, **fields: Any) -> NewTask:
        """Make a task; ids ascend in the order of the calls, or by the number that is given."""
        number = next(self._numbers) if number is None else number
        fields.setdefault("name", "send")
        fields.setdefault("data", b"{}")
        return NewTask(id=f"{group}_{number:032x}", group=group, **fields)

    def put(self, *tasks: NewTask) -> list[str]:
        """Put tasks and return what became of each."""
        return [result.status for result in self.backend.put(tasks)]

    def add(self, group: str = "mail", **fields: Any) -> str:
        """Put one new task and return its id."""
        task = self.task(group, **fields)
        assert self.put(task) == ["put"]
        return task.id

    def get(self, task_id: str) -> Record:
        record = self.backend.get([task_id])[task_id]
        assert record is not None, f"{task_id} is gone"
        return record

    def knows(self, task_id: str) -> bool:
        return self.backend.get([task_id])[task_id] is not None

    def state(self, task_id: str) -> State:
        return self.get(task_id).state

    def ids(self, **query: Any) -> list[str]:
        """Return the ids that a search finds."""
        page = self.backend.find(Query(**query), 1000)
        return [record.task.id for record in page.records]

    def counts(self) -> dict[tuple[str, State], int]:
        return {(count.group, count.state): count.count for count in self.backend.count()}

    # ---- workers

    def worker(self, worker_id: str = "w", lease: float = 1_000_000.0, **groups: int) -> str:
        info = WorkerInfo(worker_id, groups or {"mail": 8}, "host", 1, "1")
        self.backend.register(info, round(lease * SECOND))
        return worker_id

    def claim(
        self,
        n: int = 1,
        group: str = "mail",
        *,
        worker: str = "w",
        excluding: Collection[str] = (),
    ) -> list[Claim]:
        return list(self.backend.claim(worker, {group: n}, excluding).claims)

    def claimed(
        self,
        n: int = 1,
        group: str = "mail",
        *,
        worker: str = "w",
        excluding: Collection[str] = (),
    ) -> list[str]:
        """Claim and return ids."""
        return [c.task.id for c in self.claim(n, group, worker=worker, excluding=excluding)]

    def claim_one(self, group: str = "mail", *, worker: str = "w") -> Claim:
        [claim] = self.claim(1, group, worker=worker)
        return claim

    def next_due(
        self, *groups: str, worker: str = "w", excluding: Collection[str] = ()
    ) -> int | None:
        """Claim one of each group, expect nothing, and return when to come back."""
        answer = self.backend.claim(worker, dict.fromkeys(groups or ("mail",), 1), excluding)
        assert list(answer.claims) == []
        return answer.next_due

    def beat(
        self,
        worker: str = "w",
        *held: Claim,
        lease: float = 1_000_000.0,
        progress: Mapping[str, bytes] | None = None,
    ) -> Heartbeat:
        pairs = [(claim.task.id, claim.token) for claim in held]
        return self.backend.heartbeat(worker, round(lease * SECOND), pairs, progress or {})

    def run(self, *, group: str = "mail", outcome: Outcome = Outcome.SUCCEED) -> str:
        """Claim one task, settle it and return its id."""
        claim = self.claim_one(group)
        assert self.settle(claim, outcome)
        return claim.task.id

    # ---- settlements

    def settle(
        self,
        claim: Claim,
        outcome: Outcome = Outcome.SUCCEED,
        *,
        worker: str = "w",
        result: bytes = b"done",
        failure: Failure | None = None,
        due: Instant | None = NOW,
    ) -> bool:
        if failure is None and outcome in (Outcome.FAIL, Outcome.RETRY):
            failure = BOOM
        settlement = Settlement(claim.task.id, claim.token, outcome, result, failure, due)
        [stands] = self.backend.settle(worker, [settlement])
        return stands

    # ---- tasks in every state

    def put_in(self, state: State, group: str = "mail", **fields: Any) -> str:
        """Put a task, alone in its group, and bring it into a state."""
        if state is State.WAITING:
            return self.add(group, due=self.clock.now() + 1000 * SECOND, **fields)
        if state is State.LOST:
            fields["on_lost"] = "keep"
        task_id = self.add(group, **fields)
        if state is State.CANCELLED:
            self.backend.cancel([task_id])
        elif state is not State.QUEUED:
            worker = self.worker(f"maker of {task_id}")
            claim = self.claim_one(group, worker=worker)
            if state is State.SUCCEEDED:
                assert self.settle(claim, worker=worker)
            elif state is State.FAILED:
                assert self.settle(claim, Outcome.FAIL, worker=worker)
            elif state is State.LOST:
                self.backend.retire(worker, lost=True)
        assert self.state(task_id) is state
        return task_id


def _memory(clock: ManualClock, folder: Path) -> Backend:
    return MemoryBackend(clock)


def _sqlite(clock: ManualClock, folder: Path) -> Backend:
    try:
        importlib.import_module("taskkit_sql.plugin")
    except ImportError as error:
        pytest.skip(f"taskkit_sql cannot be imported: {error}")
    return connect("sql", url=f"sqlite:///{folder / 'taskkit.db'}", clock=clock)


@pytest.fixture(params=[_memory, _sqlite], ids=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    """An empty store of each kind."""
    clock = ManualClock(T0)
    backend: Backend = request.param(clock, tmp_path)
    backend.migrate()
    yield Driver(backend, clock)
    backend.close()


@pytest.fixture
def race() -> Callable[[Sequence[Callable[[], Any]]], list[Any]]:
    """Run functions in threads that start together; return what they returned, in order."""

    def run(actors: Sequence[Callable[[], Any]]) -> list[Any]:
        results: list[Any] = [None] * len(actors)
        errors: list[BaseException] = []
        barrier = threading.Barrier(len(actors))

        def act(place: int, actor: Callable[[], Any]) -> None:
            try:
                barrier.wait(10)
                results[place] = actor()
            except BaseException as error:
                errors.append(error)

        threads = [
            threading.Thread(target=act, args=pair, daemon=True) for pair in enumerate(actors)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(15)
        assert not any(thread.is_alive() for thread in threads), "a racing thread hangs"
        if errors:
            raise errors[0]
        return results

    return run
