"""The memory backend: the whole Backend protocol, in one process."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NoReturn

from taskkit.clock import Clock, SystemClock
from taskkit.errors import Unsupported
from taskkit.memory import control, operations, queue, reading, workers
from taskkit.memory.state import Memory
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

_CAPABILITIES: Final = Capabilities(name="memory", wakeup="push")


class MemoryBackend:
    """A store that lives in this process and ends with it: for tests, notebooks, small programs.

    It keeps the promises of a durable store except durability. One lock makes every call atomic;
    each call does O(log n) steps for each task it touches, whatever else the store holds.
    """

    def __init__(self, clock: Clock | None = None, *, memory: Memory | None = None) -> None:
        """Open a new store, or another handle on one that is open."""
        self._memory = memory or Memory(clock or SystemClock())
        self._lock = self._memory.lock

    @property
    def memory(self) -> Memory:
        """The store behind this handle."""
        return self._memory

    def __reduce__(self) -> NoReturn:
        raise Unsupported(
            "the memory backend lives in one process and cannot be sent to another; "
            "use Kit.running, or SQLite for worker processes"
        )

    # ---- Queue

    def put(self, tasks: Sequence[NewTask], within: object | None = None) -> list[PutResult]:
        """Store tasks: all of them or none."""
        if within is not None:
            raise Unsupported(
                "the memory backend has no transactions: expected within=None, "
                f"found a {type(within).__name__}"
            )
        with self._lock:
            return queue.put(self._memory, tasks)

    def claim(
        self, worker_id: str, wants: Mapping[str, int], excluding: Collection[str] = ()
    ) -> Claims:
        """Give up to n due tasks of each wanted group to a worker."""
        with self._lock:
            return queue.claim(self._memory, worker_id, wants, excluding)

    def settle(
        self,
        worker_id: str,  # noqa: ARG002 - tokens are unique in this store: they tell whose it is
        settlements: Sequence[Settlement],
    ) -> list[bool]:
        """End claims; tell of each settlement whether it stands."""
        with self._lock:
            return queue.settle(self._memory, settlements)

    def wait(self, groups: Collection[str], timeout: float) -> bool:
        """Block until something may be claimable in ``groups``, at most ``timeout`` seconds."""
        return self._memory.news.wait(groups, timeout, self._memory.news_of)

    # ---- Workers

    def register(self, info: WorkerInfo, lease: int) -> None:
        """Enter a worker."""
        with self._lock:
            workers.register(self._memory, info, lease)

    def heartbeat(
        self,
        worker_id: str,
        lease: int,
        held: Collection[tuple[str, int]],
        progress: Mapping[str, bytes],
    ) -> Heartbeat:
        """Renew a worker's lease and exchange what both sides know."""
        with self._lock:
            return workers.heartbeat(self._memory, worker_id, lease, held, progress)

    def retire(self, worker_id: str, lost: bool = False) -> int:
        """Remove a worker; return how many running tasks it left behind."""
        with self._lock:
            return workers.retire(self._memory, worker_id, lost)

    def reclaim(self, limit: int = 1000) -> Reclaimed:
        """Take back the running tasks of workers whose lease has expired."""
        with self._lock:
            return workers.reclaim(self._memory, limit)

    def workers(self) -> list[WorkerRecord]:
        """Return all workers, ordered by expiry, then id."""
        with self._lock:
            return workers.workers(self._memory)

    # ---- Results

    def get(self, ids: Collection[str]) -> dict[str, Record | None]:
        """Return a record for each distinct id, None where it is not known."""
        with self._lock:
            return reading.get(self._memory, ids)

    def wait_done(self, task_id: str, timeout: float) -> bool:
        """Block until the task is finished or gone, at most ``timeout`` seconds."""
        over = threading.Event()
        with self._lock:
            if reading.is_over(self._memory, task_id):
                return True
            self._memory.watchers.setdefault(task_id, []).append(over)
        over.wait(timeout)
        with self._lock:
            self._memory.unwatch(task_id, over)
            return reading.is_over(self._memory, task_id)

    def record(self, task: NewTask, outcome: Settlement, began: int) -> bool:
        """Store a task that was run in place, finished."""
        with self._lock:
            return operations.record(self._memory, task, outcome, began)

    # ---- Schedules

    def load_schedule(self, name: str) -> ScheduleState:
        """Return version and state under ``name``."""
        with self._lock:
            return control.load_schedule(self._memory, name)

    def advance_schedule(
        self, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
    ) -> bool:
        """Store ``state`` and put ``tasks``, if the version is still this."""
        with self._lock:
            return control.advance_schedule(self._memory, name, version, state, tasks)

    # ---- Operations

    def cancel(self, ids: Collection[str]) -> dict[str, Answered]:
        """Cancel unclaimed tasks, ask for it where they run."""
        with self._lock:
            return operations.cancel(self._memory, ids)

    def requeue(self, ids: Collection[str], due: Instant) -> dict[str, Answered]:
        """Put failed, lost and cancelled tasks back in the queue."""
        with self._lock:
            return operations.requeue(self._memory, ids, due)

    def reschedule(self, ids: Collection[str], due: Instant) -> dict[str, Answered]:
        """Change the due of unclaimed tasks."""
        with self._lock:
            return operations.reschedule(self._memory, ids, due)

    def delete(self, ids: Collection[str]) -> dict[str, Answered]:
        """Remove tasks in any state."""
        with self._lock:
            return operations.delete(self._memory, ids)

    def purge(
        self,
        limit: int = 1000,
        *,
        states: Collection[State] | None = None,
        older_than: int | None = None,
    ) -> int:
        """Remove up to ``limit`` finished tasks and return how many."""
        with self._lock:
            return operations.purge(self._memory, limit, states, older_than)

    def count(self, groups: Collection[str] | None = None) -> list[Count]:
        """Count tasks for each group and state that has any."""
        with self._lock:
            return reading.count(self._memory, groups)

    def find(self, query: Query, limit: int, after: str | None = None) -> Page:
        """Return a page of matching tasks, ordered by id."""
        with self._lock:
            return reading.find(self._memory, query, limit, after)

    # ---- Controls

    def pause(self, groups: Collection[str] | None, until: Instant | None = None) -> None:
        """Stop claims in these groups, until then or resumed."""
        with self._lock:
            control.pause(self._memory, groups, until)

    def resume(self, groups: Collection[str] | None) -> None:
        """Lift the pauses of exactly these groups."""
        with self._lock:
            control.resume(self._memory, groups)

    def stop(self, groups: Collection[str] | None) -> None:
        """Tell the workers that are registered now to stop serving these groups."""
        with self._lock:
            control.stop(self._memory, groups)

    def configure(self, group: str, limits: Limits) -> None:
        """Set the limits of one group."""
        with self._lock:
            control.configure(self._memory, group, limits)

    def control(self) -> Control:
        """Return what is paused and limited now."""
        with self._lock:
            return control.control(self._memory)

    # ---- Store

    def migrate(self) -> None:
        """Do nothing: there is nothing to create."""

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            self._memory.clear()

    def close(self) -> None:
        """Wake whoever waits. The store stays as long as somebody has it."""
        self._memory.wake_all()

    def capabilities(self) -> Capabilities:
        """Return what this backend offers."""
        return _CAPABILITIES
