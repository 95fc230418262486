"""The model of what people do to tasks: cancel, requeue, reschedule, delete, purge, record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from itertools import combinations, permutations

from taskkit.records import Answered, Attempt, Outcome, Settlement
from taskkit.task import Instant, NewTask, State
from taskkit_conformance.model.answers import Step
from taskkit_conformance.model.queue import BY_REQUEST, as_stored
from taskkit_conformance.model.world import SECOND, Job, World, ended

_AGAIN = (State.FAILED, State.LOST, State.CANCELLED)


def cancel(world: World, ids: Collection[str]) -> list[Step]:
    """Cancel what is unclaimed, mark what is running."""

    def one(world: World, job: Job) -> tuple[Answered, World]:
        if job.unclaimed:
            done = world.having(ended(world, job, State.CANCELLED, BY_REQUEST))
            return Answered.DONE, done
        if job.running:
            return Answered.REQUESTED, world.having(replace(job, cancelling=True))
        return Answered.REFUSED, world

    return [_each(life, dict.fromkeys(ids), one) for life in world.lives()]


def requeue(world: World, ids: Collection[str], due: Instant) -> list[Step]:
    """Queue what failed, was lost or cancelled."""

    def one(world: World, job: Job) -> tuple[Answered, World]:
        if job.state not in _AGAIN or world.holder(job.task) is not None:
            return Answered.REFUSED, world
        at = world.instant(due)
        task = replace(job.task, due=at, retry_count=0, expires=None)
        again = replace(
            job,
            task=task,
            state=State.QUEUED,
            losses=0,
            done=None,
            failure=None,
            unsaid=job.unsaid - {"due", "retry_count"} | {"began"},
        )
        return Answered.DONE, world.having(again)

    # Two of them may want one unique key; which of them gets it is the store's choice.
    return [
        _each(life, order, one)
        for life in world.lives()
        for order in _orders(life, list(dict.fromkeys(ids)))
    ]


def _orders(world: World, ids: list[str]) -> Iterable[Iterable[str]]:
    tasks = [world.jobs[task_id].task for task_id in ids if task_id in world.jobs]
    keys = [(task.group, task.unique_key) for task in tasks if task.unique_key is not None]
    return [ids] if len(set(keys)) == len(keys) else permutations(ids)


def reschedule(world: World, ids: Collection[str], due: Instant) -> list[Step]:
    """Change the due of what is unclaimed."""

    def one(world: World, job: Job) -> tuple[Answered, World]:
        if not job.unclaimed:
            return Answered.REFUSED, world
        task = replace(job.task, due=world.instant(due))
        return Answered.DONE, world.having(replace(job, task=task))

    return [_each(life, dict.fromkeys(ids), one) for life in world.lives()]


def delete(world: World, ids: Collection[str]) -> list[Step]:
    """Remove tasks in any state."""

    def one(world: World, job: Job) -> tuple[Answered, World]:
        return Answered.DONE, world.without(job.task.id)

    return [_each(life, dict.fromkeys(ids), one) for life in world.lives()]


def _each(
    world: World, ids: Iterable[str], one: Callable[[World, Job], tuple[Answered, World]]
) -> Step:
    answers: dict[str, Answered] = {}
    for task_id in ids:
        job = world.jobs.get(task_id)
        if job is None:
            answers[task_id] = Answered.UNKNOWN
        else:
            answers[task_id], world = one(world, job)
    return Step(answers, world)


def purge(
    world: World,
    limit: int = 1000,
    *,
    states: Collection[State] | None = None,
    older_than: int | None = None,
) -> list[Step]:
    """Remove finished tasks; without arguments sweep what has expired, before or after."""
    by_ttl = states is None and older_than is None

    def goes(job: Job) -> bool:
        assert job.done is not None
        if by_ttl:
            return job.done + round(job.task.ttl * SECOND) <= world.now
        in_states = states is None or job.state in states
        return in_states and (older_than is None or job.done <= older_than)

    steps = [step for life in world.lives() for step in _purge(life, limit, goes)]
    return [Step(step.answer, step.after.swept()) for step in steps] if by_ttl else steps


def _purge(world: World, limit: int, goes: Callable[[Job], bool]) -> Iterable[Step]:
    found = [name for name, job in world.jobs.items() if job.finished and goes(job)]
    for chosen in combinations(found, min(limit, len(found))):
        after = world
        for task_id in chosen:
            after = after.without(task_id)
        yield Step(len(chosen), after)


def record(world: World, new: NewTask, outcome: Settlement, began: int) -> list[Step]:
    """Store a task that was run in place."""
    steps = []
    for life in world.lives():
        if new.id in life.jobs:
            steps.append(Step(False, life))
            continue
        good = outcome.outcome is Outcome.SUCCEED
        failure = None if good else outcome.failure
        job = Job(as_stored(life, new), attempt=1, began=began, unsaid=frozenset({"progress"}))
        last = Attempt(1, began, life.now, "", outcome.outcome, failure)
        done = ended(life, job, State.SUCCEEDED if good else State.FAILED, failure)
        history = (last,) if job.task.max_history else ()
        done = replace(done, result=outcome.result if good else None, history=history)
        steps.append(Step(True, life.having(done)))
    return steps
