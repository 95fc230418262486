"""``Workers`` on tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from taskkit.records import Heartbeat, Reclaimed, WorkerInfo, WorkerRecord
from taskkit.simple.tables import Tables, refuse_negative


def register(tables: Tables, info: WorkerInfo, lease: int, now: int) -> None:
    """Enter a worker."""
    tables.workers[info.id] = WorkerRecord(info, now, now + lease, 0)
    tables.beaten[info.id] = tables.token
    tables.stopped[info.id] = []


def heartbeat(
    tables: Tables,
    worker_id: str,
    lease: int,
    held: Collection[tuple[str, int]],
    progress: Mapping[str, bytes],
    now: int,
) -> Heartbeat:
    """Renew a lease, and take back what the worker does not hold."""
    if not tables.alive(worker_id, now):
        return Heartbeat(alive=False)
    worker = tables.workers[worker_id]
    tables.workers[worker_id] = replace(worker, expires=max(worker.expires, now + lease))
    holds = frozenset(held)
    mine = {(each.task.id, each.token): each for each in tables.run_by(worker_id)}
    for (task_id, token), record in mine.items():
        if (task_id, token) not in holds and token <= tables.beaten[worker_id]:
            tables.release(record, now)
        elif task_id in progress:
            tables.keep(replace(record, progress=progress[task_id]))
    tables.beaten[worker_id] = tables.token
    # A settlement whose answer the worker does not know yet has voided nothing.
    settled = {(task_id, end[0]) for task_id, _ in holds if (end := tables.ended.get(task_id))}
    return Heartbeat(
        alive=True,
        cancelled=frozenset(h[0] for h in holds if h in mine and mine[h].cancelling),
        void=frozenset(h[0] for h in holds - mine.keys() - settled),
        paused=frozenset(tables.control(now).pauses),
        stopped=frozenset(tables.stopped[worker_id]),
    )


def retire(tables: Tables, worker_id: str, lost: bool, now: int) -> int:
    """Remove a worker; return how many tasks it left behind."""
    if worker_id not in tables.workers:
        return 0
    left = tables.run_by(worker_id)
    for record in left:
        (tables.lose if lost else tables.release)(record, now)
    tables.remove_worker(worker_id)
    return len(left)


def reclaim(tables: Tables, limit: int, now: int) -> Reclaimed:
    """Take back the tasks of the dead."""
    refuse_negative("limit", limit)
    running = [each for each in tables.tasks.values() if each.worker_id is not None]
    orphans = [each for each in running if not tables.alive(each.worker_id or "", now)][:limit]
    for record in orphans:
        tables.lose(record, now)
    busy = {each.worker_id for each in tables.tasks.values()}
    dead = [each for each in tables.workers if each not in busy and not tables.alive(each, now)]
    for worker_id in dead:
        tables.remove_worker(worker_id)
    return Reclaimed(len(orphans), dead)


def workers(tables: Tables) -> list[WorkerRecord]:
    """Return all workers, by expiry."""
    counts = {worker_id: len(tables.run_by(worker_id)) for worker_id in tables.workers}
    found = [replace(each, running=counts[name]) for name, each in tables.workers.items()]
    return sorted(found, key=lambda each: (each.expires, each.info.id))
