"""Tasks in tests: run in the test's own thread and transaction, by the code that workers run."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from taskkit import Kit
from taskkit.backend import Backend
from taskkit.clock import SystemClock, micros
from taskkit.context import TaskContext
from taskkit.errors import TaskFailed, TaskkitError, Unsupported
from taskkit.ids import new_id
from taskkit.records import Claim, Record, WorkerInfo
from taskkit.task import State
from taskkit.worker.execution import Execution
from taskkit_django.backend.opening import house_of, open_backend
from taskkit_django.kit import kit as project_kit

_LEASE: Final = 3600 * 1_000_000
"""Microseconds: nobody else looks after what a test runs."""


def run_tasks(
    *groups: str,
    kit: Kit | None = None,
    ahead: timedelta = timedelta(0),
    raises: bool = True,
    limit: int = 1000,
) -> list[Record]:
    """Run the tasks that are due, those that they put too, until none is left.

    They run one after another in the calling thread, and so in a ``TestCase``'s transaction: what
    the test has put is there without any commit, and everything is undone with the test. Names,
    arguments, retries and results take the way that they take in a worker. Timeouts are not
    enforced, and ``isolation="process"`` is not heeded.

    Args:
        groups: Only these, with their subgroups; without any, all.
        kit: Whose tasks; without it, the project's.
        ahead: Run what is due by then too, such as retries with a delay.
        raises: Raise what failed for good, once the others have been run.
        limit: The most tasks to run: tasks that put each other for ever end the test here.

    Returns:
        The tasks that have finished, in the order in which they ran.

    Raises:
        TaskFailed: a task failed for good: the first one that did.
    """
    kit = project_kit() if kit is None else kit
    backend, connection = _inside(kit, ahead)
    run = _Run(kit, backend, connection)
    try:
        records = run.all(groups, limit)
    finally:
        backend.retire(run.worker)
    failed = [record for record in records if record.state is State.FAILED]
    if raises and failed:
        failure = failed[0].failure
        assert failure is not None
        raise TaskFailed(failed[0].task.id, failure)
    return records


def _inside(kit: Kit, ahead: timedelta) -> tuple[Backend, BaseDatabaseWrapper | None]:
    """Return the kit's tasks as the calling thread sees them, and its connection."""
    house = house_of(kit.backend)
    if house is None:
        if ahead:
            raise Unsupported(
                "ahead: expected a kit on a database of Django, found one on "
                f"{kit.backend.capabilities().name}, whose time cannot be moved from here"
            )
        return kit.backend, None
    alias, prefix = house.alias, house.layout.prefix
    clock = _Ahead(micros(ahead)) if ahead else None
    backend = open_backend(alias, prefix=prefix, notify=False, clock=clock, private=False)
    return backend, connections[alias]


class _Ahead:
    """The system's clock, moved forward."""

    def __init__(self, by: int) -> None:
        self._clock = SystemClock()
        self._by = by

    def now(self) -> int:
        """Return microseconds since the epoch."""
        return self._clock.now() + self._by


class _Run:
    """One worker, in the calling thread."""

    def __init__(self, kit: Kit, backend: Backend, connection: BaseDatabaseWrapper | None) -> None:
        self.worker = new_id("run_tasks")
        self._backend = backend
        self._connection = connection
        self._execution = Execution(kit.handler, kit.hooks, kit.max_data_bytes, resolve=_resolve)

    def all(self, groups: tuple[str, ...], limit: int) -> list[Record]:
        """Run what is due; return what has finished."""
        self._backend.register(WorkerInfo(self.worker, dict.fromkeys(groups, 1)), _LEASE)
        finished: list[Record] = []
        for _ in range(limit):
            claim = self._claim(groups)
            if claim is None:
                return finished
            self._run(claim)
            record = self._backend.get([claim.task.id])[claim.task.id]
            if record is not None and record.state.finished:
                finished.append(record)
        raise TaskkitError(
            f"run_tasks: expected to be done after {limit} tasks, found more that are due; do they "
            "put each other for ever? Else raise limit="
        )

    def _claim(self, groups: tuple[str, ...]) -> Claim | None:
        wanted = groups or sorted(
            {count.group for count in self._backend.count() if count.state is State.QUEUED}
        )
        for group in wanted:
            claims = self._backend.claim(self.worker, {group: 1}).claims
            if claims:
                return claims[0]
        return None

    def _run(self, claim: Claim) -> None:
        with self._recovering():
            settlement = self._execution.run(claim, TaskContext(claim, self.worker))
        self._backend.settle(self.worker, [settlement])

    @contextmanager
    def _recovering(self) -> Iterator[None]:
        """Undo what a task did in the test's transaction if it broke that."""
        connection = self._connection
        if connection is None or not connection.in_atomic_block:
            yield
            return
        point = connection.savepoint()
        assert point is not None  # it is in an atomic block
        yield
        if connection.needs_rollback:
            connection.needs_rollback = False
            connection.savepoint_rollback(point)
        connection.savepoint_commit(point)


def _resolve(awaitable: Awaitable[Any], _context: TaskContext) -> Any:
    """Run a coroutine with what it calls by ``sync_to_async`` in this thread."""

    async def to_its_end() -> Any:
        return await awaitable

    return async_to_sync(to_its_end)()


__all__ = ["run_tasks"]
