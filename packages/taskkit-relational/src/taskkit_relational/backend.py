"""The facade: the whole Backend protocol, each method in the module that its name says."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from taskkit.records import (
    Answered,
    Capabilities,
    Claims,
    Control,
    Count,
    Heartbeat,
    Limits,
    Page,
    PutResult,
    Query,
    Reclaimed,
    Record,
    ScheduleState,
    Settlement,
    WorkerInfo,
    WorkerRecord,
)
from taskkit.task import Instant, NewTask, State
from taskkit_relational import controls, operations, reading, schedules, workers
from taskkit_relational.queue import claim, put, settle
from taskkit_relational.store import Store
from taskkit_relational.wakeup import Wakeup


class House(Protocol):
    """What a package supplies beside the rules: the tables, the connections, the way to reopen."""

    def migrate(self) -> None:
        """Create the tables, or bring them up to date."""
        ...

    def schema_versions(self) -> tuple[int, int]:
        """Return the version of the tables (0: none) and the one that is current."""
        ...

    def upgrade_sql(self, since: int | None) -> str:
        """Return the SQL that upgrades from a version (None: the store's own) to the current."""
        ...

    def preload(self) -> None:
        """Import what connections need, and open nothing."""
        ...

    def close(self) -> None:
        """Let go of all connections."""
        ...

    def reopening(self) -> tuple[Any, ...]:
        """Return a function and its arguments that make the backend again in another process."""
        ...

    def capabilities(self) -> Capabilities:
        """Return what the backend offers."""
        ...


class RelationalBackend:
    """A store made of rows.

    Nothing is opened before the first use. Usable from all threads, and after a fork. What is
    pickled is what it takes to open it again.

    Args:
        store: The tables, through connections for all threads.
        wakeup: Tells what others have done.
        house: What is beside the rules.
        name: What it was opened with, without a password.
        engine: The same tables through connections for what only workers do; None: ``store``.
    """

    def __init__(
        self,
        store: Store,
        wakeup: Wakeup,
        house: House,
        name: str,
        *,
        engine: Store | None = None,
    ) -> None:
        self._store = store
        self._engine = store if engine is None else engine
        self._wakeup = wakeup
        self._house = house
        self._name = name

    def preload(self) -> None:
        """Import what connections need, and open nothing: for workers that are forked from here."""
        self._house.preload()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return self._house.reopening()

    # ---- Queue

    def put(self, tasks: Sequence[NewTask], within: object | None = None) -> list[PutResult]:
        """Store tasks: all of them or none."""
        return put.put(self._store, tasks, within)

    def claim(
        self, worker_id: str, wants: Mapping[str, int], excluding: Collection[str] = ()
    ) -> Claims:
        """Give up to n due tasks of each wanted group to a worker."""
        mark = self._wakeup.mark()
        claims = claim.claim(self._engine, worker_id, wants, excluding)
        self._wakeup.claimed(wants, mark)
        return claims

    def settle(
        self,
        worker_id: str,  # noqa: ARG002 - the token tells: no other worker was given it
        settlements: Sequence[Settlement],
    ) -> list[bool]:
        """End claims; answer for each whether this claim's settlement stands."""
        return settle.settle(self._engine, settlements)

    def wait(self, groups: Collection[str], timeout: float) -> bool:
        """Block until something may be claimable, at most ``timeout`` seconds."""
        return self._wakeup.wait(groups, timeout)

    # ---- Workers

    def register(self, info: WorkerInfo, lease: int) -> None:
        """Enter a worker whose lease ends ``lease`` microseconds from now."""
        workers.register(self._engine, info, lease)

    def heartbeat(
        self,
        worker_id: str,
        lease: int,
        held: Collection[tuple[str, int]],
        progress: Mapping[str, bytes],
    ) -> Heartbeat:
        """Renew a worker's lease and exchange what both sides know."""
        return workers.heartbeat(self._engine, worker_id, lease, held, progress)

    def retire(self, worker_id: str, lost: bool = False) -> int:
        """Remove a worker; return how many running tasks it left behind."""
        return workers.retire(self._engine, worker_id, lost)

    def reclaim(self, limit: int = 1000) -> Reclaimed:
        """Take back the running tasks of workers that are unknown or have expired."""
        return workers.reclaim(self._engine, limit)

    def workers(self) -> list[WorkerRecord]:
        """Return all workers, ordered by expiry, then id."""
        return workers.workers(self._store)

    # ---- Results

    def get(self, ids: Collection[str]) -> dict[str, Record | None]:
        """Return a record for each distinct id, None where the store does not know it."""
        return reading.get(self._store, ids)

    def wait_done(self, task_id: str, timeout: float) -> bool:
        """Block until the task is finished or gone, at most ``timeout`` seconds."""
        return self._wakeup.wait_done(task_id, timeout)

    def record(self, task: NewTask, outcome: Settlement, began: int) -> bool:
        """Store a task that was run in place, finished."""
        return reading.record(self._store, task, outcome, began)

    # ---- Schedules

    def load_schedule(self, name: str) -> ScheduleState:
        """Return version and state under ``name``."""
        return schedules.load_schedule(self._store, name)

    def advance_schedule(
        self, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
    ) -> bool:
        """Store ``state`` and put ``tasks``, if the version is still this."""
        return schedules.advance_schedule(self._store, name, version, state, tasks)

    # ---- Operations

    def cancel(self, ids: Collection[str]) -> dict[str, Answered]:
        """Cancel tasks, or ask their workers to."""
        return operations.cancel(self._store, ids)

    def requeue(self, ids: Collection[str], due: Instant) -> dict[str, Answered]:
        """Put failed, lost and cancelled tasks back in the queue, their history kept."""
        return operations.requeue(self._store, ids, due)

    def reschedule(self, ids: Collection[str], due: Instant) -> dict[str, Answered]:
        """Change the due of unclaimed tasks."""
        return operations.reschedule(self._store, ids, due)

    def delete(self, ids: Collection[str]) -> dict[str, Answered]:
        """Remove tasks in any state."""
        return operations.delete(self._store, ids)

    def purge(
        self,
        limit: int = 1000,
        *,
        states: Collection[State] | None = None,
        older_than: int | None = None,
    ) -> int:
        """Remove up to ``limit`` finished tasks, a batch at a time; return how many."""
        return operations.purge(self._store, limit, states, older_than)

    def count(self, groups: Collection[str] | None = None) -> list[Count]:
        """Count tasks for each group and state that has any."""
        return reading.count(self._store, groups)

    def find(self, query: Query, limit: int, after: str | None = None) -> Page:
        """Return a page of matching tasks, ordered by id."""
        return reading.find(self._store, query, limit, after)

    # ---- Controls

    def pause(self, groups: Collection[str] | None, until: Instant | None = None) -> None:
        """Stop claims in these groups (None: in all)."""
        controls.pause(self._store, groups, until)

    def resume(self, groups: Collection[str] | None) -> None:
        """Lift the pauses of exactly these groups (None: every pause)."""
        controls.resume(self._store, groups)

    def stop(self, groups: Collection[str] | None) -> None:
        """Tell the workers that are registered now to stop serving these groups (None: all)."""
        controls.stop(self._store, groups)

    def configure(self, group: str, limits: Limits) -> None:
        """Set the limits of one group, replacing what was set before."""
        controls.configure(self._store, group, limits)

    def control(self) -> Control:
        """Return what is paused and limited now."""
        return controls.control(self._store)

    # ---- Store

    def migrate(self) -> None:
        """Create the tables, or bring them up to date."""
        self._house.migrate()

    def schema_versions(self) -> tuple[int, int]:
        """Return the version of the tables (0: none) and the one that is current."""
        return self._house.schema_versions()

    def upgrade_sql(self, since: int | None = None) -> str:
        """Return the SQL that upgrades from a version (None: the store's own) to the current."""
        return self._house.upgrade_sql(since)

    def clear(self) -> None:
        """Remove everything from the tables of this store."""
        operations.clear(self._store)

    def close(self) -> None:
        """Let go of all connections and wake whoever waits."""
        self._wakeup.close()
        self._house.close()

    def capabilities(self) -> Capabilities:
        """Return what this backend offers, and its limits."""
        return self._house.capabilities()
