"""The model of what steers workers, and of the state of schedulers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from taskkit.records import Control, Limits, ScheduleState
from taskkit.task import Instant, NewTask
from taskkit_conformance.model.answers import Step
from taskkit_conformance.model.queue import put
from taskkit_conformance.model.world import EVERYTHING, World, dropped


def pause(world: World, groups: Collection[str] | None, until: Instant | None = None) -> list[Step]:
    """Stop claims in groups."""
    end = None if until is None else world.instant(until)
    pauses = {**world.pauses, **dict.fromkeys(_names(groups), end)}
    return [Step(None, replace(life, pauses=pauses)) for life in world.lives()]


def resume(world: World, groups: Collection[str] | None) -> list[Step]:
    """Lift exactly these pauses."""
    pauses = {} if groups is None else dropped(world.pauses, *groups)
    return [Step(None, replace(life, pauses=pauses)) for life in world.lives()]


def stop(world: World, groups: Collection[str] | None) -> list[Step]:
    """Tell the workers of now to stop serving groups."""
    told = {
        name: replace(worker, stopped=worker.stopped | set(_names(groups)))
        for name, worker in world.workers.items()
    }
    return [Step(None, replace(life, workers=told)) for life in world.lives()]


def configure(world: World, group: str, limits: Limits) -> list[Step]:
    """Set the limits of a group."""
    steps = []
    for life in world.lives():
        after = replace(life, limits={**life.limits, group: limits})
        steps.append(Step(None, after))
        if limits.rate is None or life.limits.get(group, Limits()).rate is None:
            # A rate that is lifted, or set, may begin with an empty memory.
            steps.append(Step(None, replace(after, starts=dropped(after.starts, group))))
    return steps


def control(world: World) -> list[Step]:
    """Return what is paused and limited."""
    paused = world.paused()
    pauses = {name: end for name, end in world.pauses.items() if name in paused}
    limits = {group: limits for group, limits in world.limits.items() if limits != Limits()}
    return [Step(_Controls(pauses, limits), life) for life in world.lives()]


class _Controls:
    """An answer to ``control``; whether groups without limits are in it is free."""

    def __init__(self, pauses: dict[str, int | None], limits: dict[str, Limits]) -> None:
        self.pauses, self.limits = pauses, limits

    def __repr__(self) -> str:
        return f"Control(pauses={self.pauses}, limits={self.limits})"

    def allows(self, found: object) -> bool:
        return (
            isinstance(found, Control)
            and dict(found.pauses) == self.pauses
            and {g: one for g, one in found.limits.items() if one != Limits()} == self.limits
        )


def _names(groups: Collection[str] | None) -> Collection[str]:
    return (EVERYTHING,) if groups is None else groups


def load_schedule(world: World, name: str) -> list[Step]:
    """Return the state of a scheduler."""
    version, state = world.schedules.get(name, (0, None))
    return [Step(ScheduleState(version, state, world.now), life) for life in world.lives()]


def advance_schedule(
    world: World, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
) -> list[Step]:
    """Store the state of a scheduler and put tasks, if the version is still this."""
    current, _ = world.schedules.get(name, (0, None))
    if current != version:
        return [Step(False, life) for life in world.lives()]
    schedules = {**world.schedules, name: (version + 1, state)}
    return [
        Step(True, replace(step.after, schedules=schedules))
        for step in put(world, tasks, bounded=False)
    ]
