"""What steers workers: pauses, stops, limits; and the state of schedulers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from taskkit.limits import resolve
from taskkit.memory.queue import put
from taskkit.memory.state import Memory
from taskkit.records import ALL_GROUPS, Control, Limits, ScheduleState
from taskkit.task import Instant, NewTask


def pause(memory: Memory, groups: Collection[str] | None, until: Instant | None) -> None:
    """Pause groups."""
    now = memory.tick()
    end = None if until is None else resolve(until, now)
    memory.pauses.update(dict.fromkeys(_names(groups), end))


def resume(memory: Memory, groups: Collection[str] | None) -> None:
    """Lift pauses."""
    if groups is None:
        memory.pauses.clear()
    else:
        for name in groups:
            memory.pauses.pop(name, None)
    # What was paused is claimable now. To know which of those who wait were held up by this very
    # pause would cost more than to let all of them look.
    memory.news.for_everyone()


def stop(memory: Memory, groups: Collection[str] | None) -> None:
    """Tell the workers of now to stop serving groups."""
    for worker in memory.workers.values():
        worker.stopped.update(_names(groups))


def configure(memory: Memory, group: str, limits: Limits) -> None:
    """Set the limits of a group."""
    now = memory.tick()
    found = memory.order.group(group)
    found.limit(limits)
    memory.order.refresh(found, now)
    memory.order.announce(found)


def control(memory: Memory) -> Control:
    """Return what is paused and limited now."""
    names = paused(memory, memory.tick())
    limited = (group for group in memory.order.groups.values() if group.limits != Limits())
    return Control(
        pauses={name: memory.pauses[name] for name in sorted(names)},
        limits={group.name: group.limits for group in limited},
    )


def paused(memory: Memory, now: int) -> frozenset[str]:
    """Return the names that are paused now."""
    ended = [name for name, end in memory.pauses.items() if end is not None and end <= now]
    for name in ended:
        del memory.pauses[name]
    return frozenset(memory.pauses)


def _names(groups: Collection[str] | None) -> Collection[str]:
    return (ALL_GROUPS,) if groups is None else groups


def load_schedule(memory: Memory, name: str) -> ScheduleState:
    """Return what is stored under a name."""
    version, state = memory.schedules.get(name, (0, None))
    return ScheduleState(version, state, memory.tick())


def advance_schedule(
    memory: Memory, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
) -> bool:
    """Store a scheduler's state and put its tasks, if the version is still this."""
    current, _ = memory.schedules.get(name, (0, b""))
    if current != version:
        return False
    put(memory, tasks, bounded=False)
    memory.schedules[name] = (version + 1, state)
    return True
