"""The Backend protocol on Redis: each method in one place, the work in the modules around."""

from __future__ import annotations

import os
import weakref
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from taskkit.clock import Clock, check_sendable
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
from taskkit_redis import controls, layout, operations, queue, reading, schedules, workers
from taskkit_redis.settings import Settings, read_settings
from taskkit_redis.store import Store
from taskkit_redis.topology import topology_of
from taskkit_redis.wakeup import Wakeup
from taskkit_redis.within import WITHIN, put_within

_MAX_DATA_BYTES: Final = 256 << 20
"""A record has to fit into a value of 512 MiB, with its result."""

_open: weakref.WeakSet[RedisBackend] = weakref.WeakSet()


class RedisBackend:
    """A store on Redis or Valkey.

    Nothing is connected before the first use. Usable from all threads, and after a fork: the child
    makes its own connections. What is pickled are the settings.
    """

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._closed = False
        self._start()
        _open.add(self)

    @classmethod
    def of(
        cls, url: str | None, options: Mapping[str, Any], clock: Clock | None = None
    ) -> RedisBackend:
        """Name a store; see ``settings.Settings`` for the options.

        Raises:
            InvalidSetting: the URL or an option is not understood.
        """
        return cls(read_settings(url, options), clock)

    def _start(self) -> None:
        self._store = Store(self._settings, topology_of(self._settings), self._clock)
        self._store.prepare = lambda: layout.prepare(self._store)
        self._wakeup = Wakeup(self._store, self._clock)

    def after_fork(self) -> None:
        """Begin afresh in a child process: sockets and locks are the parent's."""
        self._wakeup.abandon()
        self._start()
        if self._closed:
            self.close()

    def __repr__(self) -> str:
        server = self._settings.server
        where = server.path or ",".join(f"{host}:{port}" for host, port in server.addresses)
        return f"<{type(self).__name__} {self._settings.prefix!r} at {where}>"

    def __reduce__(self) -> tuple[Any, ...]:
        check_sendable(self._clock)
        return type(self), (self._settings, self._clock)

    # ---- Queue

    def put(self, tasks: Sequence[NewTask], within: object | None = None) -> list[PutResult]:
        """Store tasks: all of them or none."""
        if within is not None:
            return put_within(self._store, tasks, within)
        return queue.put(self._store, tasks)

    def claim(
        self, worker_id: str, wants: Mapping[str, int], excluding: Collection[str] = ()
    ) -> Claims:
        """Give up to n due tasks of each wanted group to a worker."""
        self._wakeup.rest()
        return queue.claim(self._store, worker_id, wants, excluding)

    def settle(
        self,
        worker_id: str,  # noqa: ARG002 - the token tells: no other worker was given it
        settlements: Sequence[Settlement],
    ) -> list[bool]:
        """End claims; answer for each whether this claim's settlement stands."""
        return queue.settle(self._store, settlements)

    def wait(self, groups: Collection[str], timeout: float) -> bool:
        """Block until something may be claimable, at most ``timeout`` seconds."""
        return self._wakeup.wait(groups, timeout)

    # ---- Workers

    def register(self, info: WorkerInfo, lease: int) -> None:
        """Enter a worker whose lease ends ``lease`` microseconds from now."""
        workers.register(self._store, info, lease)

    def heartbeat(
        self,
        worker_id: str,
        lease: int,
        held: Collection[tuple[str, int]],
        progress: Mapping[str, bytes],
    ) -> Heartbeat:
        """Renew a worker's lease and exchange what both sides know."""
        return workers.heartbeat(self._store, worker_id, lease, held, progress)

    def retire(self, worker_id: str, lost: bool = False) -> int:
        """Remove a worker; return how many running tasks it left behind."""
        return workers.retire(self._store, worker_id, lost)

    def reclaim(self, limit: int = 1000) -> Reclaimed:
        """Take back the running tasks of workers that are unknown or have expired."""
        return workers.reclaim(self._store, limit)

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
        return operations.record(self._store, task, outcome, began)

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
        """Write down the layout, where there is none."""
        self._store.ready()

    def clear(self) -> None:
        """Remove everything of this prefix."""
        operations.clear(self._store)

    def close(self) -> None:
        """Let go of all connections and wake whoever waits."""
        self._closed = True
        self._wakeup.close()
        self._store.topology.close()

    def capabilities(self) -> Capabilities:
        """Return what this backend offers, and its limits."""
        transactional = self._settings.server.kind != "cluster" and self._settings.partitions == 1
        return Capabilities(
            name="redis",
            durable=True,
            shared=True,
            wakeup="push",
            transactional_put=transactional,
            within=WITHIN if transactional else "",
            max_data_bytes=_MAX_DATA_BYTES,
        )


def _after_fork() -> None:
    for backend in list(_open):
        backend.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
