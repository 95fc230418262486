"""What is known about one property."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from taskkit_conformance.check import LANES, Lane

Level: TypeAlias = Literal["Store", "Queue", "Leased", "Scheduler", "Durable", "Controlled"]
LEVELS: Final[tuple[Level, ...]] = (
    "Store",
    "Queue",
    "Leased",
    "Scheduler",
    "Durable",
    "Controlled",
)
"""What a backend can claim to be, once all properties of the level have passed."""

Scope: TypeAlias = Literal["backend", "core"]

_LETTERS: Final[dict[str, Lane]] = dict(zip("MIRX", LANES, strict=True))


@dataclass(frozen=True, slots=True)
class Property:
    """One promise. Its number is never used again, and its sentence never grows stronger."""

    id: str
    """``LEA-05``: a group of three letters and a number."""
    sentence: str
    why: str = ""
    """What a user would lose without it."""
    lanes_in_letters: str = "M"
    """Where it is tested: **M** model, **I** interleave, **R** race, **X** chaos."""
    history: str = ""
    """An example: what is done, and after the arrow what must come of it."""
    mistake: str = ""
    """How implementations commonly get it wrong."""
    needs: tuple[str, ...] = ()
    """Properties without which testing this one means nothing."""
    capability: str = ""
    """The field of ``Capabilities`` that must be truthy; empty where every backend must keep it."""
    level: Level = "Store"
    scope: Scope = "backend"
    """``core``: kept by the core whatever the backend; tested over the memory backend."""
    withdrawn: str = ""
    """Why it is no longer promised; its number stays taken."""

    @property
    def group(self) -> str:
        """``LEA``."""
        return self.id.partition("-")[0]

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The lanes in which it has to be tested."""
        return tuple(_LETTERS[letter] for letter in self.lanes_in_letters)


def withdrawn(why: str, *ids: str) -> tuple[Property, ...]:
    """Return numbers that stay taken."""
    return tuple(Property(each, "", lanes_in_letters="", withdrawn=why) for each in ids)
