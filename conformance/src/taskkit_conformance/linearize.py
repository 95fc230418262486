"""Is there an order of these overlapping operations that a sequential queue allows?

Wing and Gong's search, with the visited pairs of (operations already placed, state) remembered.
On correct histories it takes about one state for each operation, because claims tell so much;
where it does not, a limit ends it with the verdict UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Generic, Protocol, TypeVar

from taskkit_conformance.history import NEVER, Operation

MAX_OPERATIONS: Final = 120
"""Longer histories are cut into windows by whoever records them."""
MAX_STATES: Final = 100_000


class State(Protocol):
    """A state of a sequential specification: immutable."""

    def key(self) -> object:
        """Return what makes it equal to another, hashable."""
        ...


S = TypeVar("S", bound=State)


class Verdict(StrEnum):
    """What the search found."""

    POSSIBLE = "possible"
    IMPOSSIBLE = "impossible"
    UNKNOWN = "unknown"
    """The limit was reached first."""


@dataclass(frozen=True, slots=True)
class Search(Generic[S]):
    """The end of a search."""

    verdict: Verdict
    states: int
    """How many were visited."""
    order: Sequence[Operation] = ()
    """An order that the specification allows, as far as one was found."""
    ends: Sequence[S] = ()
    """A state in which a possible history may end."""


def linearize(
    operations: Sequence[Operation],
    start: S,
    step: Callable[[S, Operation], S | None],
    *,
    max_states: int = MAX_STATES,
) -> Search[S]:
    """Search for an order in which each operation happens between its call and its return.

    An operation that did not return may have happened at any later moment, or never.
    """
    if len(operations) > MAX_OPERATIONS:
        raise ValueError(
            f"expected a window of at most {MAX_OPERATIONS} operations, found {len(operations)}"
        )
    ordered = sorted(operations, key=lambda operation: operation.called)
    needed = sum(1 << place for place, op in enumerate(ordered) if op.returned < NEVER)
    seen: set[tuple[int, object]] = {(0, start.key())}
    stack: list[tuple[int, S, tuple[int, ...]]] = [(0, start, ())]
    longest: tuple[int, ...] = ()
    while stack:
        done, state, path = stack.pop()
        if len(path) > len(longest):
            longest = path
        if done & needed == needed:
            return Search(Verdict.POSSIBLE, len(seen), [ordered[i] for i in path], [state])
        for place in reversed(_candidates(ordered, done)):
            following = step(state, ordered[place])
            if following is None:
                continue
            mark = done | 1 << place, following.key()
            if mark not in seen:
                if len(seen) >= max_states:
                    return Search(Verdict.UNKNOWN, len(seen))
                seen.add(mark)
                stack.append((mark[0], following, (*path, place)))
    return Search(Verdict.IMPOSSIBLE, len(seen), [ordered[i] for i in longest])


def _candidates(ordered: Sequence[Operation], done: int) -> list[int]:
    """Return which operations may be next: none that was called after another had to be over."""
    found: list[int] = []
    first_return = NEVER
    for place, operation in enumerate(ordered):
        if done >> place & 1:
            continue
        if operation.called > first_return:
            break
        found.append(place)
        first_return = min(first_return, operation.returned)
    return found


def shortest_impossible(
    operations: Sequence[Operation], start: S, step: Callable[[S, Operation], S | None]
) -> list[Operation]:
    """Return the shortest beginning of an impossible history that is impossible already.

    Operations that had been called but had not returned by then may have happened or not.
    """
    returns = sorted(op.returned for op in operations if op.returned < NEVER)
    low, high = 0, len(returns) - 1
    while low < high:
        middle = (low + high) // 2
        prefix = _until(operations, returns[middle])
        if linearize(prefix, start, step).verdict is Verdict.IMPOSSIBLE:
            high = middle
        else:
            low = middle + 1
    return _until(operations, returns[high]) if returns else []


def _until(operations: Sequence[Operation], moment: int) -> list[Operation]:
    return [
        op if op.returned <= moment else replace(op, returned=NEVER)
        for op in operations
        if op.called <= moment
    ]
