"""The model of claim: who may be given, in which order, in whose turn, and when to come back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from taskkit.records import Limits
from taskkit.task import State
from taskkit_conformance.model.answers import Given, Step
from taskkit_conformance.model.world import SECOND, Job, World, covered, covers

Taken: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Ids by group."""

_NO_LIMITS = Limits()


def claim(
    world: World, worker_id: str, wants: Mapping[str, int], excluding: Collection[str] = ()
) -> list[Step]:
    """Give due tasks to a worker."""
    if not world.alive(worker_id):
        return [Step(Given(world.now, alive=False), life) for life in world.lives()]
    excluded = frozenset(excluding)
    return [step for life in world.lives() for step in _claim(life, worker_id, wants, excluded)]


def _claim(
    world: World,
    worker_id: str,
    wants: Mapping[str, int],
    excluding: frozenset[str],
) -> Iterator[Step]:
    shut = excluding | world.paused()
    branches: dict[Taken, World] = {(): world}
    for want, most in wants.items():
        branches = {
            (*taken, *more): after
            for taken, before in branches.items()
            for more, after in _serve(before, worker_id, want, most, wants, shut).items()
        }
    for taken, after in branches.items():
        tasks = dict(taken)
        filled = _filled(wants, tasks)
        if not _met_expired(after, wants, shut, filled):
            given = Given(after.now, True, tasks, next_dues(after, wants, excluding, filled))
            yield Step(given, after)


def _filled(wants: Mapping[str, int], tasks: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Return the wants that got all that they asked for."""
    got = dict.fromkeys(wants, 0)
    for group, ids in tasks.items():
        for want in wants:
            got[want] += len(ids) if owner(group, wants) == want else 0
    return frozenset(want for want, most in wants.items() if got[want] >= most)


def _met_expired(
    world: World, wants: Mapping[str, int], shut: Collection[str], filled: Collection[str]
) -> bool:
    # A want that is not filled has met whatever could have been given, also what had expired.
    return any(
        (want := _served_by(job.task.group, wants, shut)) is not None
        and want not in filled
        and job.task.due <= world.now
        and lock_room(world, job)
        and room(world, job.task.group)
        for job in world.expired()
    )


# ---- who may be given


def owner(group: str, wants: Collection[str]) -> str | None:
    """Return the want that a group belongs to: the longest name that stands for it."""
    return max((want for want in wants if covers(want, group)), key=len, default=None)


def _served_by(group: str, wants: Mapping[str, int], shut: Collection[str]) -> str | None:
    want = owner(group, wants)
    return None if want is None or wants[want] <= 0 or covered(group, shut) else want


def claimable(world: World, job: Job) -> bool:
    """Return whether a task could be given now."""
    task = job.task
    return (
        job.unclaimed
        and task.due <= world.now
        and (task.expires is None or task.expires > world.now)
        and lock_room(world, job)
        and room(world, task.group)
    )


def lock_room(world: World, job: Job) -> bool:
    """Return whether the lock of a task leaves room for it."""
    key = job.task.lock_key
    if key is None:
        return True
    held = [
        other
        for other in world.of_group(job.task.group)
        if other.running and other.task.lock_key == key
    ]
    return len(held) < job.task.lock_limit


def room(world: World, group: str) -> bool:
    """Return whether the limits of a group let one more task run now."""
    most = world.limits.get(group, _NO_LIMITS).max_running
    running = sum(job.running for job in world.of_group(group))
    return (most is None or running < most) and gate(world, group) <= world.now


def gate(world: World, group: str) -> int:
    """Return from when on the rate of a group lets one more task run: now, or later."""
    rate = world.limits.get(group, _NO_LIMITS).rate
    if rate is None:
        return world.now
    period = round(rate.period * SECOND)
    counted = sorted(at for at in world.starts.get(group, ()) if at + period > world.now)
    if len(counted) < rate.limit:
        return world.now
    return counted[-rate.limit] + period


def first(world: World, group: str) -> Job | None:
    """Return the task of a group that is next."""
    found = [job for job in world.of_group(group) if claimable(world, job)]
    return min(found, key=lambda job: (-job.task.priority, job.task.due, job.task.id), default=None)


# ---- in whose turn


def _serve(
    world: World,
    worker_id: str,
    want: str,
    most: int,
    wants: Mapping[str, int],
    shut: Collection[str],
) -> dict[Taken, World]:
    """Return what may be given for one want, and the world after each."""
    groups = sorted({job.task.group for job in world.jobs.values()})
    mine = [group for group in groups if _served_by(group, wants, shut) == want]
    open_ends: dict[Taken, World] = {(): world}
    ends: dict[Taken, World] = {}
    for _ in range(most):
        longer: dict[Taken, World] = {}
        for taken, before in open_ends.items():
            ready = {group: job for group in mine if (job := first(before, group)) is not None}
            if not ready:
                ends[taken] = before
            for group in _next_turns(before, want, ready):
                after = _turned(give(before, ready[group], worker_id), want, group, ready)
                name = _longer(taken, group, ready[group].task.id)
                longer[name] = _either(longer.get(name), after, want)
        open_ends = longer
    return {**ends, **open_ends}


def _longer(taken: Taken, group: str, task_id: str) -> Taken:
    ids = dict(taken)
    ids[group] = (*ids.get(group, ()), task_id)
    return tuple(sorted(ids.items()))


def _next_turns(world: World, want: str, ready: Collection[str]) -> list[str]:
    """Return whose turn it may be: nobody is served twice while another one waits."""
    since = world.turns.get(want, {})
    return [
        group
        for group in ready
        if not any(group in since.get(other, ()) for other in ready if other != group)
    ]


def _turned(world: World, want: str, served: str, ready: Collection[str]) -> World:
    since = world.turns.get(want, {})
    turn = {
        group: frozenset() if group == served else since.get(group, frozenset()) | {served}
        for group in ready
    }
    return replace(world, turns={**world.turns, want: turn})


def _either(one: World | None, two: World, want: str) -> World:
    # The order within a batch cannot be seen, so only what all possible orders have in common
    # counts for the turns to come.
    if one is None:
        return two
    these, those = one.turns[want], two.turns[want]
    turn = {group: these[group] & those[group] for group in these.keys() & those.keys()}
    return replace(one, turns={**one.turns, want: turn})


def give(world: World, job: Job, worker_id: str) -> World:
    """Let a worker run a task."""
    task = job.task
    serial = world.claimed.get(task.id, 0) + 1
    starts = world.starts
    if world.limits.get(task.group, _NO_LIMITS).rate is not None:
        starts = {**starts, task.group: (*starts.get(task.group, ()), world.now)}
    running = replace(
        job,
        state=State.RUNNING,
        attempt=job.attempt + 1,
        serial=serial,
        worker_id=worker_id,
        began=world.now,
        unsaid=job.unsaid - {"began"} | {"progress"} if serial > 1 else job.unsaid,
    )
    claimed = {**world.claimed, task.id: serial}
    return replace(world.having(running), claimed=claimed, starts=starts)


# ---- when to come back


def next_dues(
    world: World,
    wants: Mapping[str, int],
    excluding: Collection[str],
    filled: Collection[str] = (),
) -> frozenset[int | None]:
    """Return what ``next_due`` may be.

    It must not be later than the moment at which a task becomes claimable by itself. It may be
    earlier, if it is a moment at which something about the wanted groups changes: a store need not
    see that what becomes due then is held back by something else.

    What was due already, before the clock stepped back, a store may not notice to wait again until
    it meets it, which a want that is filled before does not.
    """
    exact: list[int] = []
    hints = {
        end
        for name, end in world.pauses.items()
        if end is not None and any(covers(name, want) or covers(want, name) for want in wants)
    }
    for job in world.jobs.values():
        group, due = job.task.group, job.task.due
        if not job.unclaimed or _served_by(group, wants, excluding) is None:
            continue
        pauses = [end for name, end in world.pauses.items() if covers(name, group)]
        opens = max([gate(world, group), *(end or world.now for end in pauses)])
        moment = max(due, opens)
        hints |= {due, opens, gate(world, group), moment}
        held = None in pauses or not lock_room(world, job) or _full(world, group)
        gone = job.task.expires is not None and job.task.expires <= moment
        unseen = world.now < due <= world.latest and owner(group, wants) in filled
        if moment > world.now and not held and not gone and not unseen:
            exact.append(moment)
    latest = min(exact, default=None)
    allowed = {hint for hint in hints if hint > world.now and (latest is None or hint <= latest)}
    return frozenset(allowed | {None} if latest is None else allowed)


def _full(world: World, group: str) -> bool:
    most = world.limits.get(group, _NO_LIMITS).max_running
    return most is not None and sum(job.running for job in world.of_group(group)) >= most
