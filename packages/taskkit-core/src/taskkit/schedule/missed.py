"""What becomes of ticks at which no scheduler was there: a choice of each entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from taskkit.clock import SECOND, to_datetime, to_instant

Missed: TypeAlias = Literal["latest", "earliest", "all", "none"]
"""Of the missed ticks: the last one, the first one, each of them, not one."""

MISSED: Final[tuple[Missed, ...]] = ("latest", "earliest", "all", "none")

LATE: Final = SECOND
"""A tick younger than this is on time: for ``none`` to mean "not if it is too late"."""

HORIZON: Final = 2 * SECOND
"""How far ahead of their time ticks are put, so that they start on time (see ``Scheduler``)."""

NextTick: TypeAlias = Callable[[int], int | None]
"""Returns the first tick strictly after an instant, or None."""


class DuplicationPolicy(Protocol):
    """Chooses among missed ticks: the form that ``RegularSchedule`` has always taken."""

    def __call__(
        self, schedule_points: list[datetime], last_scheduled_at: datetime | None, /
    ) -> list[datetime]:
        """Return those of ``schedule_points`` (in UTC, oldest first) that shall still run."""
        ...


@dataclass(frozen=True, slots=True)
class OnlyLatest:
    """Of the missed ticks the last one still runs; the same as ``missed="latest"``."""

    def __call__(
        self, schedule_points: list[datetime], _last_scheduled_at: datetime | None, /
    ) -> list[datetime]:
        """Return the last one."""
        return schedule_points[-1:]


@dataclass(frozen=True, slots=True)
class OnlyEarliest:
    """Of the missed ticks the first one still runs; the same as ``missed="earliest"``."""

    def __call__(
        self, schedule_points: list[datetime], _last_scheduled_at: datetime | None, /
    ) -> list[datetime]:
        """Return the first one."""
        return schedule_points[:1]


Policy: TypeAlias = Missed | DuplicationPolicy


@dataclass(frozen=True, slots=True)
class Due:
    """What an entry has to do now."""

    ticks: tuple[int, ...]
    """To be put, oldest first."""
    last: int
    """Everything up to here is done with, put or passed over."""
    next: int | None
    """The first tick after ``last``, None if there is none any more."""


def due_ticks(after: NextTick, last: int, now: int, policy: Policy, limit: int) -> Due:
    """Return the ticks to put: what the policy leaves of the missed ones, and those just ahead.

    Costs O(``limit`` + log(now - last)) calls of ``after``, however long nobody was there.

    Args:
        after: The schedule.
        last: Up to where it has been dealt with.
        now: Ticks after ``last`` and not after this are missed (``latest``, ``earliest`` and
            ``none`` are exact; ``all`` and callables see ``limit`` ticks at a time, oldest first).
        policy: What to do with the missed ones.
        limit: Put at most so many, at least 1; ``next`` then lies before now + ``HORIZON``.
    """
    ticks, last = _missed_ticks(after, last, now, policy, limit)
    upcoming = after(last)
    # Not after an unfinished batch of missed ones: the rest is the policy's, in the next step.
    while upcoming is not None and now < upcoming <= now + HORIZON and len(ticks) < limit:
        ticks.append(upcoming)
        last = upcoming
        upcoming = after(last)
    return Due(tuple(ticks), last, upcoming)


def _missed_ticks(
    after: NextTick, last: int, now: int, policy: Policy, limit: int
) -> tuple[list[int], int]:
    first = after(last)
    if first is None or first > now:
        return [], last
    if policy == "all" or callable(policy):
        batch = _walk(after, first, now, limit)
        chosen = batch if policy == "all" else _chosen(policy, batch, last)
        return chosen, batch[-1]
    newest = _newest(after, first, now)
    if policy == "latest":
        return [newest], newest
    if policy == "earliest":
        return [first], newest
    return ([newest] if newest > now - LATE else []), newest


def _walk(after: NextTick, first: int, now: int, limit: int) -> list[int]:
    ticks = [first]
    while len(ticks) < limit:
        tick = after(ticks[-1])
        if tick is None or tick > now:
            break
        ticks.append(tick)
    return ticks


def _chosen(policy: Policy, batch: list[int], last: int) -> list[int]:
    assert callable(policy)
    moments = policy([to_datetime(tick) for tick in batch], to_datetime(last))
    return sorted({to_instant(moment) for moment in moments}.intersection(batch))


def _newest(after: NextTick, first: int, now: int) -> int:
    """Return the last tick that is not after ``now``; ``first`` is one.

    By bisection, because to walk through a year of seconds takes minutes: whether another tick
    follows an instant, and not after now, turns from yes to no exactly at the last one.
    """
    newest, limit = first, now
    while newest < limit:
        tick = after(newest)
        if tick is None or tick > now:
            break
        newest = tick
        middle = (newest + limit) // 2
        tick = after(middle)
        if tick is None or tick > now:
            limit = middle
        else:
            newest = tick
    return newest
