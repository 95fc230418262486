"""How long the suite may look: examples and seconds for each lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from taskkit_conformance.check import Check, Lane


@dataclass(frozen=True, slots=True)
class Budget:
    """What one check may use."""

    examples: int
    seconds: float
    """After so many no further example is begun."""
    shrinking: float
    """Seconds for making a failing example small."""


@dataclass(frozen=True, slots=True)
class Effort:
    """What a lane may use."""

    examples: int
    """For a check of the usual weight."""
    seconds: float
    """For all its checks together."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One of quick, standard and thorough."""

    name: str
    about: str
    """How long it takes, in words."""
    lanes: Mapping[Lane, Effort]
    shrinking: float
    """Seconds for one failure."""
    all_shrinking: float
    """Seconds for all failures together: a store that keeps no promise must not take for ever."""
    fixed_seed: bool
    """Whether the seed is 0 unless told otherwise, so that two runs are the same."""
    strict: bool
    """Whether a property that was never exercised is a failure."""

    def budget(self, check: Check, checks: Sequence[Check]) -> Budget:
        """Return what this check may use, of all checks that there are.

        It does not depend on which of them were chosen: one that is repeated alone does what it
        did among the others.
        """
        effort = self.lanes[check.lane]
        weights = sum(each.examples for each in checks if each.lane == check.lane)
        return Budget(
            examples=max(1, round(effort.examples * check.examples)),
            seconds=effort.seconds * check.examples / max(weights, 1.0),
            shrinking=self.shrinking,
        )


PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile
    for profile in (
        Profile(
            "quick",
            "about a minute",
            {
                "model": Effort(40, 25),
                "interleave": Effort(60, 20),
                "race": Effort(10, 12),
                "chaos": Effort(1, 12),
            },
            shrinking=4,
            all_shrinking=40,
            fixed_seed=True,
            strict=False,
        ),
        Profile(
            "standard",
            "about ten minutes",
            {
                "model": Effort(400, 200),
                "interleave": Effort(800, 180),
                "race": Effort(100, 120),
                "chaos": Effort(5, 100),
            },
            shrinking=20,
            all_shrinking=200,
            fixed_seed=False,
            strict=True,
        ),
        Profile(
            "thorough",
            "some hours",
            {
                "model": Effort(8000, 4000),
                "interleave": Effort(16000, 4000),
                "race": Effort(1500, 2000),
                "chaos": Effort(50, 2000),
            },
            shrinking=120,
            all_shrinking=1800,
            fixed_seed=False,
            strict=True,
        ),
    )
}
