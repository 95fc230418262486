"""The model of put and settle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations

from taskkit.records import Outcome, PutResult, Settlement
from taskkit.task import (
    CANCELLED_BY_REQUEST,
    SUPERSEDED,
    WORKER_DIED,
    Failure,
    NewTask,
    State,
    Task,
)
from taskkit_conformance.model.answers import Each, Full, Step
from taskkit_conformance.model.world import Job, World, ended

_YES = frozenset({True})
_NO = frozenset({False})
_EITHER = frozenset({True, False})

BY_REQUEST = Failure(CANCELLED_BY_REQUEST, "")


# ---- put


def put(world: World, tasks: Sequence[NewTask], *, bounded: bool = True) -> list[Step]:
    """Put tasks: all of them or none."""
    return [_put(life, tasks, bounded) for life in world.lives()]


def _put(world: World, tasks: Sequence[NewTask], bounded: bool) -> Step:
    after, results = world, []
    for new in tasks:
        task = as_stored(world, new)
        holder = after.holder(task)
        if new.id in after.jobs:
            results.append(PutResult(new.id, "known"))
        elif holder is not None:
            results.append(PutResult(holder.task.id, "duplicate"))
        else:
            after = after.having(Job(task))
            results.append(PutResult(new.id, "put"))
    full = frozenset(group for group in {new.group for new in tasks} if _too_many(after, group))
    grown = {new.group for new, r in zip(tasks, results, strict=True) if r.status == "put"}
    if bounded and full & grown:
        return Step(Full(full & grown), world)
    return Step(results, after)


def _too_many(world: World, group: str) -> bool:
    limits = world.limits.get(group)
    if limits is None or limits.max_queue_size is None:
        return False
    return sum(job.unclaimed for job in world.of_group(group)) > limits.max_queue_size


def as_stored(world: World, new: NewTask) -> Task:
    """Return the task that a request becomes now."""
    given = {name: getattr(new, name) for name in NewTask.__slots__}
    given["due"] = world.instant(new.due)
    given["expires"] = None if new.expires is None else world.instant(new.expires)
    given["labels"] = dict(new.labels)
    return Task(**given, created=world.now)


# ---- settle


def settle(world: World, settlements: Sequence[Settlement]) -> list[Step]:
    """End claims. A settlement's token is the number of the claim (see ``Job.serial``)."""
    return [
        _settle(life, settlements, order)
        for life in world.lives()
        for order in _orders(life, settlements)
    ]


def _orders(world: World, settlements: Sequence[Settlement]) -> Iterator[tuple[int, ...]]:
    """Yield the orders in which a batch may be done.

    It is done in the order given, as far as anybody can tell. Only where several of its tasks
    want one unique key may the store choose which of them gets it.
    """
    keys: list[tuple[str, str]] = []
    for task_id in {settlement.task_id for settlement in settlements}:
        job = world.jobs.get(task_id)
        if job is not None and job.task.unique_key is not None:
            keys.append((job.task.group, job.task.unique_key))
    straight = tuple(range(len(settlements)))
    if len(set(keys)) == len(keys) or len(settlements) > 5:
        yield straight
        return
    ids = [settlement.task_id for settlement in settlements]
    for order in permutations(straight):
        if all(a < b or ids[a] != ids[b] for a, b in _pairs(order)):
            yield order


def _pairs(order: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    return ((a, b) for at, a in enumerate(order) for b in order[at + 1 :])


def _settle(world: World, settlements: Sequence[Settlement], order: tuple[int, ...]) -> Step:
    answers: dict[int, frozenset[bool]] = {}
    for place in order:
        settlement = settlements[place]
        answers[place] = stands(world, settlement)
        job = world.jobs.get(settlement.task_id)
        if job is not None and job.running and job.serial == settlement.token:
            world = _end(world, job, settlement)
    return Step(Each(tuple(answers[place] for place in range(len(settlements)))), world)


def stands(world: World, settlement: Settlement) -> frozenset[bool]:
    """Return what may be answered to a settlement."""
    job, hold = world.jobs.get(settlement.task_id), (settlement.task_id, settlement.token)
    repeated = settlement.outcome is Outcome.DISCARD and hold in world.discarded
    if job is None:
        return _YES if repeated else _NO
    if job.running and job.serial == settlement.token:
        return _YES
    if job.settled.get(settlement.token) is settlement.outcome or repeated:
        # The repetition of one that stood. Once the task was claimed again or is another one,
        # its token is outdated as well, and both answers are true.
        return _YES if job.serial == settlement.token else _EITHER
    return _NO


def _end(world: World, job: Job, settlement: Settlement) -> World:
    outcome, failure = settlement.outcome, settlement.failure
    job = replace(job, settled={**job.settled, job.serial: outcome})
    task = job.task
    due = task.due if settlement.due is None else world.instant(settlement.due)
    if outcome is Outcome.DISCARD:
        hold = (task.id, job.serial)
        return replace(world.without(task.id), discarded=world.discarded | {hold})
    if outcome is Outcome.RELEASE:
        return give_back(world, job, due)
    if outcome is Outcome.LOSE:
        return lose(world, job)
    job = job.noted(world.now, outcome, None if outcome is Outcome.SUCCEED else failure)
    if outcome is Outcome.RETRY:
        again = replace(task, due=due, retry_count=task.retry_count + 1)
        return back(world, job, again)
    if job.cancelling or outcome is Outcome.CANCEL:
        return world.having(ended(world, job, State.CANCELLED, BY_REQUEST))
    if outcome is Outcome.SUCCEED:
        done = ended(world, job, State.SUCCEEDED)
        return world.having(replace(done, result=settlement.result))
    return world.having(ended(world, job, State.FAILED, failure))


def give_back(world: World, job: Job, due: int) -> World:
    """Queue a running task as if it had not been claimed."""
    job = replace(job, attempt=job.attempt - 1, unsaid=job.unsaid | {"began"})
    return back(world, job, replace(job.task, due=due))


def lose(world: World, job: Job) -> World:
    """Do what the death of its worker does to a running task."""
    failure = Failure(WORKER_DIED, "")
    job = replace(job, losses=job.losses + 1).noted(world.now, "lost", failure)
    if job.cancelling:
        return world.having(ended(world, job, State.CANCELLED, BY_REQUEST))
    if job.task.on_lost == "fail":
        return world.having(ended(world, job, State.FAILED, failure))
    if job.task.on_lost == "keep" or job.losses >= job.task.max_lost:
        return world.having(ended(world, job, State.LOST, failure))
    return back(world, job, job.task)


def back(world: World, job: Job, task: Task) -> World:
    """Queue a task that ran, unless it is to be cancelled or was superseded."""
    # Whether a task that goes no further still takes the new due and count is nobody's business.
    moot = job.unsaid | {"due", "retry_count"}
    holder = world.holder(task)
    if job.cancelling:
        return world.having(ended(world, replace(job, unsaid=moot), State.CANCELLED, BY_REQUEST))
    if holder is not None:
        cause = Failure(SUPERSEDED, holder.task.id)
        return world.having(ended(world, replace(job, unsaid=moot), State.CANCELLED, cause))
    unsaid = job.unsaid | {"progress"}
    return world.having(replace(job, task=task, state=State.QUEUED, worker_id=None, unsaid=unsaid))
