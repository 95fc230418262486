"""Leases: who is alive, and what becomes of the work of the dead."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from taskkit.errors import InvalidInput
from taskkit.memory.control import paused
from taskkit.memory.entry import Entry, Worker
from taskkit.memory.state import Memory
from taskkit.records import Heartbeat, Reclaimed, WorkerInfo, WorkerRecord


def register(memory: Memory, info: WorkerInfo, lease: int) -> None:
    """Enter a worker."""
    now = memory.tick()
    worker = Worker(info, now, now + lease, memory.token)
    before = memory.workers.get(info.id)
    if before is not None:
        # It has dropped what it ran, so its next heartbeat gives all of it back.
        worker.running = before.running
        for entry in worker.running.values():
            entry.worker = worker
    memory.workers[info.id] = worker


def heartbeat(
    memory: Memory,
    worker_id: str,
    lease: int,
    held: Collection[tuple[str, int]],
    progress: Mapping[str, bytes],
) -> Heartbeat:
    """Renew a lease and exchange what both sides know."""
    now = memory.tick()
    worker = memory.workers.get(worker_id)
    if worker is None or worker.expires <= now:
        return Heartbeat(alive=False)
    worker.expires = max(worker.expires, now + lease)
    for task_id, stage in progress.items():
        if task_id in worker.running:
            worker.running[task_id].progress = stage
    _give_back_strays(memory, worker, frozenset(held), now)
    worker.beat = memory.token
    cancelled: set[str] = set()
    void: set[str] = set()
    for task_id, token in held:
        entry = worker.running.get(task_id)
        if entry is None or entry.token != token:
            if not _settled(memory.tasks.get(task_id), token):
                void.add(task_id)
        elif entry.cancelling:
            cancelled.add(task_id)
    return Heartbeat(
        alive=True,
        cancelled=frozenset(cancelled),
        void=frozenset(void),
        paused=paused(memory, now),
        stopped=frozenset(worker.stopped),
    )


def _give_back_strays(
    memory: Memory, worker: Worker, held: frozenset[tuple[str, int]], now: int
) -> None:
    # Tokens instead of instants tell what came before the previous heartbeat: a clock that is set
    # back cannot confuse them.
    strays = [
        entry
        for task_id, entry in worker.running.items()
        if entry.token <= worker.beat and (task_id, entry.token) not in held
    ]
    for entry in strays:
        memory.give_back(entry, None, now)


def _settled(entry: Entry | None, token: int) -> bool:
    return entry is not None and entry.settled == token


def retire(memory: Memory, worker_id: str, lost: bool) -> int:
    """Remove a worker and return how many running tasks it left."""
    now = memory.tick()
    worker = memory.workers.pop(worker_id, None)
    if worker is None:
        return 0
    left = list(worker.running.values())
    for entry in left:
        if lost:
            memory.lose(entry, now)
        else:
            memory.give_back(entry, None, now)
    return len(left)


def reclaim(memory: Memory, limit: int) -> Reclaimed:
    """Take back the running tasks of expired workers, and remove those."""
    if limit < 0:
        raise InvalidInput(f"reclaim: expected a limit from 0, found {limit}")
    now = memory.tick()
    tasks = 0
    removed: list[str] = []
    for worker in _by_expiry(memory.workers.values()):
        if worker.expires > now or tasks >= limit:
            break
        for entry in list(worker.running.values())[: limit - tasks]:
            memory.lose(entry, now)
            tasks += 1
        if not worker.running:
            del memory.workers[worker.info.id]
            removed.append(worker.info.id)
    return Reclaimed(tasks, removed)


def workers(memory: Memory) -> list[WorkerRecord]:
    """Return all workers by expiry."""
    memory.tick()
    return [worker.record() for worker in _by_expiry(memory.workers.values())]


def _by_expiry(found: Iterable[Worker]) -> list[Worker]:
    return sorted(found, key=lambda worker: (worker.expires, worker.info.id))
