"""The model of leases: register, heartbeat, retire, reclaim, workers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import combinations, permutations

from taskkit.records import Reclaimed, WorkerInfo, WorkerRecord
from taskkit_conformance.model.answers import Beat, Step
from taskkit_conformance.model.queue import give_back, lose
from taskkit_conformance.model.world import Hold, Job, Worker, World, dropped


def register(world: World, info: WorkerInfo, lease: int) -> list[Step]:
    """Enter a worker."""
    steps = []
    for life in world.lives():
        running = _holds(life.running_of(info.id))
        # What an earlier life of it left running goes back with its first heartbeat or its second.
        for seen in {running, frozenset[Hold]()}:
            worker = Worker(info, life.now, life.now + lease, seen, life.now)
            steps.append(Step(None, life.with_worker(worker)))
    return steps


def heartbeat(
    world: World,
    worker_id: str,
    lease: int,
    held: Collection[Hold],
    progress: Mapping[str, bytes],
) -> list[Step]:
    """Renew a lease and exchange what both sides know. A token is the number of a claim."""
    if not world.alive(worker_id):
        return [Step(Beat(alive=False), life) for life in world.lives()]
    return [
        step
        for life in world.lives()
        for step in _heartbeat(life, worker_id, lease, frozenset(held), progress)
    ]


def _heartbeat(
    world: World, worker_id: str, lease: int, held: frozenset[Hold], progress: Mapping[str, bytes]
) -> Iterator[Step]:
    worker = world.workers[worker_id]
    world = _with_progress(world, worker_id, progress)
    before = world.running_of(worker_id)
    beat = _answer(world, worker, before, held)
    worker = replace(worker, expires=max(worker.expires, world.now + lease), beat=world.now)
    strays = [job for job in before if not _holds([job]) & held]
    sure = [job for job in strays if _holds([job]) <= world.workers[worker_id].seen]
    # "Before the previous heartbeat" may be judged by the clock: at one instant both are true.
    late = [job for job in sure if job.began != world.workers[worker_id].beat]
    for gone in (sure, late) if len(late) < len(sure) else (sure,):
        for after in _in_any_order(world, gone, lambda w, j: give_back(w, j, j.task.due)):
            seen = _holds(after.running_of(worker_id))
            yield Step(beat, after.with_worker(replace(worker, seen=seen)))


def _with_progress(world: World, worker_id: str, progress: Mapping[str, bytes]) -> World:
    told = [
        replace(job, progress=progress[job.task.id], unsaid=job.unsaid - {"progress"})
        for job in world.running_of(worker_id)
        if job.task.id in progress
    ]
    return world.having(*told)


def _answer(world: World, worker: Worker, running: list[Job], held: frozenset[Hold]) -> Beat:
    mine = _holds(running)
    lost = held - mine
    settled = {hold for hold in lost if _was_settled(world, hold)}
    return Beat(
        alive=True,
        cancelled=frozenset(
            job.task.id for job in running if job.cancelling and _holds([job]) & held
        ),
        void=frozenset(task_id for task_id, _ in lost - settled),
        # What it has settled itself stands no longer, but nobody took it away.
        perhaps_void=frozenset(task_id for task_id, _ in settled),
        paused=world.paused(),
        stopped=worker.stopped,
    )


def _was_settled(world: World, hold: Hold) -> bool:
    task_id, serial = hold
    job = world.jobs.get(task_id)
    return hold in world.discarded or (job is not None and serial in job.settled)


def _holds(jobs: Iterable[Job]) -> frozenset[Hold]:
    return frozenset((job.task.id, job.serial) for job in jobs)


def retire(world: World, worker_id: str, lost: bool = False) -> list[Step]:
    """Remove a worker."""
    steps = []
    for life in world.lives():
        if worker_id not in life.workers:
            steps.append(Step(0, life))
            continue
        left = life.running_of(worker_id)
        away = lose if lost else (lambda w, j: give_back(w, j, j.task.due))
        for after in _in_any_order(life, left, away):
            workers = dropped(after.workers, worker_id)
            steps.append(Step(len(left), replace(after, workers=workers)))
    return steps


def reclaim(world: World, limit: int = 1000) -> list[Step]:
    """Take back the running tasks of the dead."""
    return [step for life in world.lives() for step in _reclaim(life, limit)]


def _reclaim(world: World, limit: int) -> Iterator[Step]:
    orphans = [
        job for job in world.jobs.values() if job.running and not world.alive(job.worker_id or "")
    ]
    count = min(limit, len(orphans))
    for chosen in combinations(orphans, count):
        for after in _in_any_order(world, list(chosen), lose):
            for gone in _removable(after, reached=count == limit):
                names = frozenset(gone)
                workers = dropped(after.workers, *names)
                yield Step(_Taken(count, names), replace(after, workers=workers))


def _removable(world: World, *, reached: bool) -> Iterator[tuple[str, ...]]:
    """Yield the sets of workers that may be removed: all that are dead and have nothing left.

    A call that has reached its limit need not look for more.
    """
    dead = [name for name in world.workers if not world.alive(name) and not world.running_of(name)]
    for count in range(0 if reached else len(dead), len(dead) + 1):
        yield from combinations(dead, count)


class _Taken:
    """An answer to ``reclaim``; the order of the workers is free."""

    def __init__(self, tasks: int, workers: frozenset[str]) -> None:
        self.tasks, self.workers = tasks, workers

    def __repr__(self) -> str:
        return f"Reclaimed(tasks={self.tasks}, workers={sorted(self.workers)})"

    def allows(self, found: object) -> bool:
        return (
            isinstance(found, Reclaimed)
            and found.tasks == self.tasks
            and len(found.workers) == len(self.workers)
            and set(found.workers) == self.workers
        )


def workers(world: World) -> list[Step]:
    """List workers by expiry, then id."""
    found = [
        WorkerRecord(w.info, w.registered, w.expires, len(world.running_of(name)))
        for name, w in world.workers.items()
    ]
    found.sort(key=lambda record: (record.expires, record.info.id))
    return [Step(found, life) for life in world.lives()]


def _in_any_order(
    world: World, jobs: list[Job], step: Callable[[World, Job], World]
) -> list[World]:
    """Return the worlds after a step for each job.

    Only where they want one unique key does the order make a difference; it is the store's choice.
    """
    keys = [(j.task.group, j.task.unique_key) for j in jobs if j.task.unique_key is not None]
    orders = [tuple(jobs)] if len(keys) == len(set(keys)) else permutations(jobs)
    ends: list[World] = []
    for order in orders:
        after = world
        for job in order:
            after = step(after, job)
        if after not in ends:
            ends.append(after)
    return ends
