"""The model of what is read: get, wait_done, count, find."""

from __future__ import annotations

from collections.abc import Collection

from taskkit.records import Count, Query
from taskkit.task import State
from taskkit_conformance.model.answers import Ids, Records, Step
from taskkit_conformance.model.world import Job, World, covers


def get(world: World, ids: Collection[str]) -> list[Step]:
    """Return records."""
    return [
        Step(Records(life.now, {task_id: life.jobs.get(task_id) for task_id in ids}), life)
        for life in world.lives()
    ]


def wait_done(world: World, task_id: str) -> list[Step]:
    """Return whether a task is finished or gone, without waiting for it."""
    return [
        Step(task_id not in life.jobs or life.jobs[task_id].finished, life)
        for life in world.lives()
    ]


def count(world: World, groups: Collection[str] | None = None) -> list[Step]:
    """Count tasks by group and state."""
    return [Step(_Counts(_count(life, groups)), life) for life in world.lives()]


def _count(world: World, groups: Collection[str] | None) -> list[tuple[Count, bool]]:
    found: dict[tuple[str, State], list[Job]] = {}
    for job in world.jobs.values():
        if groups is None or job.task.group in groups:
            found.setdefault((job.task.group, job.state_at(world.now)), []).append(job)
    return [
        (
            Count(group, state, len(jobs), min(job.task.due for job in jobs)),
            all("due" not in job.unsaid for job in jobs),
        )
        for (group, state), jobs in sorted(found.items())
    ]


class _Counts:
    """An answer to ``count``; where the due of a task is nobody's business, so is the oldest."""

    def __init__(self, counts: list[tuple[Count, bool]]) -> None:
        self.counts = counts

    def __repr__(self) -> str:
        return repr([each for each, _ in self.counts])

    def allows(self, found: object) -> bool:
        return (
            isinstance(found, list)
            and len(found) == len(self.counts)
            and all(
                (one.group, one.state, one.count) == (two.group, two.state, two.count)
                and (not sure or one.oldest_due == two.oldest_due)
                for one, (two, sure) in zip(found, self.counts, strict=True)
            )
        )


def find(world: World, query: Query, limit: int, after: str | None = None) -> list[Step]:
    """Return a page by ids. ``after`` is the last id of the page before."""
    steps = []
    for life in world.lives():
        ids = sorted(
            name
            for name, job in life.jobs.items()
            if matches(job, query, life.now) and (after is None or name > after)
        )
        last = len(ids) <= limit if limit else None
        steps.append(Step(Ids(tuple(ids[:limit]), last), life))
    return steps


def matches(job: Job, query: Query, now: int) -> bool:
    """Return whether a task is asked for."""
    task, group = job.task, query.group
    in_group = group is None or task.group == group
    below = query.subgroups and group is not None and covers(group, task.group)
    return (
        (in_group or below)
        and (query.name is None or task.name == query.name)
        and (query.states is None or job.state_at(now) in query.states)
        and all(
            key in task.labels and _same(task.labels[key], value)
            for key, value in query.labels.items()
        )
    )


def _same(one: object, two: object) -> bool:
    return one == two and isinstance(one, bool) == isinstance(two, bool)
