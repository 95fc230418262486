"""The Backend protocol: every method is one transaction on the tables of a file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from taskkit import records
from taskkit.clock import Clock, SystemClock
from taskkit.errors import Unsupported
from taskkit.simple import operations, queue, results, workers
from taskkit.simple.polling import Poller
from taskkit.task import Instant, NewTask, State
from taskkit_filestore.file import File


class FileBackend:
    """A store in a folder, for the processes of one host."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._opened = folder, clock
        self._file = File(folder, clock or SystemClock())
        self._poller = Poller(self._file.mark)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._opened

    # ---- Queue

    def put(
        self, tasks: Sequence[NewTask], within: object | None = None
    ) -> list[records.PutResult]:
        if within is not None:
            raise Unsupported("within: filestore has no transaction that a caller could open")
        with self._file.writing() as (tables, now):
            return queue.put(tables, tasks, now)

    def claim(
        self, worker_id: str, wants: Mapping[str, int], excluding: Collection[str] = ()
    ) -> records.Claims:
        with self._file.writing() as (tables, now):
            return queue.claim(tables, worker_id, wants, excluding, now)

    def settle(self, worker_id: str, settlements: Sequence[records.Settlement]) -> list[bool]:
        del worker_id  # whose claim it is, the token tells
        with self._file.writing() as (tables, now):
            return queue.settle(tables, settlements, now)

    def wait(self, groups: Collection[str], timeout: float) -> bool:
        return self._poller.wait(groups, timeout)

    # ---- Workers

    def register(self, info: records.WorkerInfo, lease: int) -> None:
        with self._file.writing() as (tables, now):
            workers.register(tables, info, lease, now)

    def heartbeat(
        self,
        worker_id: str,
        lease: int,
        held: Collection[tuple[str, int]],
        progress: Mapping[str, bytes],
    ) -> records.Heartbeat:
        with self._file.writing() as (tables, now):
            return workers.heartbeat(tables, worker_id, lease, held, progress, now)

    def retire(self, worker_id: str, lost: bool = False) -> int:
        with self._file.writing() as (tables, now):
            return workers.retire(tables, worker_id, lost, now)

    def reclaim(self, limit: int = 1000) -> records.Reclaimed:
        with self._file.writing() as (tables, now):
            return workers.reclaim(tables, limit, now)

    def workers(self) -> list[records.WorkerRecord]:
        with self._file.reading() as (tables, _):
            return workers.workers(tables)

    # ---- Results

    def get(self, ids: Collection[str]) -> dict[str, records.Record | None]:
        with self._file.reading() as (tables, now):
            return results.get(tables, ids, now)

    def wait_done(self, task_id: str, timeout: float) -> bool:
        return self._poller.wait_done(self.get, task_id, timeout)

    def record(self, task: NewTask, outcome: records.Settlement, began: int) -> bool:
        with self._file.writing() as (tables, now):
            return results.record(tables, task, outcome, began, now)

    # ---- Schedules

    def load_schedule(self, name: str) -> records.ScheduleState:
        with self._file.reading() as (tables, now):
            return results.load_schedule(tables, name, now)

    def advance_schedule(
        self, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
    ) -> bool:
        with self._file.writing() as (tables, now):
            return results.advance_schedule(tables, name, version, state, tasks, now)

    # ---- Operations

    def cancel(self, ids: Collection[str]) -> dict[str, records.Answered]:
        with self._file.writing() as (tables, now):
            return operations.cancel(tables, ids, now)

    def requeue(self, ids: Collection[str], due: Instant) -> dict[str, records.Answered]:
        with self._file.writing() as (tables, now):
            return operations.requeue(tables, ids, due, now)

    def reschedule(self, ids: Collection[str], due: Instant) -> dict[str, records.Answered]:
        with self._file.writing() as (tables, now):
            return operations.reschedule(tables, ids, due, now)

    def delete(self, ids: Collection[str]) -> dict[str, records.Answered]:
        with self._file.writing() as (tables, _):
            return operations.delete(tables, ids)

    def purge(
        self,
        limit: int = 1000,
        *,
        states: Collection[State] | None = None,
        older_than: int | None = None,
    ) -> int:
        with self._file.writing() as (tables, now):
            return operations.purge(tables, limit, states, older_than, now)

    def count(self, groups: Collection[str] | None = None) -> list[records.Count]:
        with self._file.reading() as (tables, now):
            return operations.count(tables, groups, now)

    def find(self, query: records.Query, limit: int, after: str | None = None) -> records.Page:
        with self._file.reading() as (tables, now):
            return operations.find(tables, query, limit, after, now)

    # ---- Controls

    def pause(self, groups: Collection[str] | None, until: Instant | None = None) -> None:
        with self._file.writing() as (tables, now):
            operations.pause(tables, groups, until, now)

    def resume(self, groups: Collection[str] | None) -> None:
        with self._file.writing() as (tables, _):
            operations.resume(tables, groups)

    def stop(self, groups: Collection[str] | None) -> None:
        with self._file.writing() as (tables, _):
            operations.stop(tables, groups)

    def configure(self, group: str, limits: records.Limits) -> None:
        with self._file.writing() as (tables, _):
            operations.configure(tables, group, limits)

    def control(self) -> records.Control:
        with self._file.reading() as (tables, now):
            return tables.control(now)

    # ---- Store

    def migrate(self) -> None:
        """Nothing to do: the first write makes the folder and the file."""

    def clear(self) -> None:
        with self._file.writing() as (tables, _):
            tables.clear()

    def close(self) -> None:
        self._poller.close()

    def capabilities(self) -> records.Capabilities:
        return records.Capabilities("filestore", durable=True, shared=True, wakeup="poll")
