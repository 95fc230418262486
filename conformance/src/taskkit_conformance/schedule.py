"""When actors hand over to each other: data, so that a failure shrinks to the fewest switches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from hypothesis import strategies as st

Grain = Literal["gaps", "locks", "lines", "all"]
"""What counts as a step. The fewer there are, the likelier it is to stop at the one that matters.

``gaps``: an operation, a lock beyond the operation's first, a round trip to the store. ``locks``:
the first lock, too, which matters where something was read before it. ``lines``: source lines of
the backend while it holds none of its locks, too. ``all``: also those inside locks, where others
can rarely do much.
"""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the baton changes hands. Without switches each actor goes on until it ends or waits."""

    switches: tuple[tuple[int, int], ...] = ()
    """Pairs: pass so many yield points, then hand over to the so-manieth next actor."""
    grain: Grain = "lines"
    """What counts as a yield point."""
    first: int = 0
    """Which actor begins."""

    def words(self, actors: list[str]) -> str:
        """Say what it does."""
        parts = [f"{actors[self.first % len(actors)]} begins"]
        passed = 0
        for gap, step in self.switches:
            passed += gap
            if step:
                others = "the next" if step == 1 else f"the {step}. next"
                parts.append(f"after {passed} steps {others} goes on")
                passed = 0
        return f"{'; '.join(parts)} (a step: {_STEPS[self.grain]})"


_STEPS: Final[dict[Grain, str]] = {
    "gaps": "an operation, or a lock beyond its first",
    "locks": "an operation or a lock",
    "lines": "a line outside locks",
    "all": "a line",
}


@cache
def schedules(actors: int) -> st.SearchStrategy[Schedule]:
    """Return a strategy: at most 0, 1 or 2 preemptions, or as many as it likes."""
    other = st.integers(1, max(1, actors - 1))
    near = st.sampled_from((1, 1, 2, 1, 3, 2, 1, 4, 6))
    edges = st.lists(st.tuples(near, other), min_size=1, max_size=2)
    edges |= st.lists(st.tuples(near, other), min_size=2, max_size=16)
    line = st.integers(1, 16) | st.integers(1, 100) | st.integers(1, 100) | st.integers(1, 400)
    lines = st.lists(st.tuples(line, other), min_size=1, max_size=2)
    lines |= st.lists(st.tuples(st.integers(1, 16), other), min_size=3, max_size=30)
    beginner = st.integers(0, actors - 1)
    coarse = st.sampled_from(("gaps", "locks"))
    fine = st.sampled_from(("lines", "lines", "all"))
    return st.builds(Schedule, edges.map(tuple), coarse, beginner) | st.builds(
        Schedule, lines.map(tuple), fine, beginner
    )
