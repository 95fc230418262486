"""A check: one executable piece of evidence for one property, in one lane.

A property is a sentence (see ``taskkit_conformance.properties``); its checks try to refute it. The
modules of ``taskkit_conformance.suite`` register them with ``proves``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from taskkit_conformance.case import Case

Lane: TypeAlias = Literal["model", "interleave", "race", "chaos"]
"""How a check looks for a refutation.

``model``: generated programs on one thread under a manual clock. ``interleave``: a few actors,
their steps ordered by a seeded scheduler. ``race``: real threads and processes. ``chaos``: worker
processes that are killed and stopped, connections that are cut, a store that is restarted.
"""

LANES: tuple[Lane, ...] = ("model", "interleave", "race", "chaos")


@dataclass(frozen=True, slots=True)
class Check:
    """One check."""

    number: str
    """The property that it is about, such as ``LEA-05``."""
    lane: Lane
    run: Callable[[Case], None]
    examples: float = 1.0
    """Generated examples, relative to what the profile gives to a check of this lane."""
    capability: str = ""
    """A field of ``Capabilities`` that must be truthy, beside the property's own."""

    @property
    def id(self) -> str:
        """``LEA-05[model]``."""
        return f"{self.number}[{self.lane}]"


_checks: list[Check] = []


def proves(
    *properties: str, lane: Lane = "model", examples: float = 1.0, capability: str = ""
) -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    """Register a function as a check of each of these properties.

    It is called once for each generated example, with a ``Case`` on an empty namespace, and raises
    (through ``Case.require`` or ``Case.violated``) when the property does not hold.
    """

    def register(run: Callable[[Case], None]) -> Callable[[Case], None]:
        _checks.extend(Check(name, lane, run, examples, capability) for name in properties)
        return run

    return register


def all_checks() -> list[Check]:
    """Return every check of the suite, ordered by property and lane."""
    from taskkit_conformance import suite

    suite.load()
    return sorted(_checks, key=lambda check: (check.number, LANES.index(check.lane)))
