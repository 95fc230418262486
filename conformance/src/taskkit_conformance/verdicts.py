"""What can be said of a property, and what was seen of one check."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from taskkit_conformance.check import Check, Lane


class Verdict(StrEnum):
    """What is said of a check or a property. Only PASS counts."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    EXPECTED = "EXPECTED"
    """It fails, as ``conformance.toml`` says."""
    STALE = "STALE"
    """``conformance.toml`` says that it fails, and it does not: the entry is to be removed."""
    NOT_APPLICABLE = "NOT-APPLICABLE"
    """The backend does not declare the capability, or the harness cannot do what is needed."""
    BLOCKED = "BLOCKED"
    """A property fails without which this one cannot be tested."""
    UNKNOWN = "UNKNOWN"
    """Too much of what was seen could not be judged."""
    UNEXERCISED = "UNEXERCISED"
    """No example met the premise: nothing is proved."""


_WORST_FIRST: Final = (
    Verdict.FAIL,
    Verdict.STALE,
    Verdict.BLOCKED,
    Verdict.UNKNOWN,
    Verdict.EXPECTED,
    Verdict.UNEXERCISED,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on a property from those on its checks; UNEXERCISED if there is none."""
    found = set(verdicts)
    return next((each for each in _WORST_FIRST if each in found), Verdict.UNEXERCISED)


@dataclass(slots=True)
class Outcome:
    """What was seen of one check."""

    number: str
    """Of the property, such as ``LEA-05``."""
    lane: Lane
    verdict: Verdict
    reason: str = ""
    """One line: what was violated, which capability is missing, what blocks it."""
    message: str = ""
    """What was expected and what was found."""
    program: list[str] = field(default_factory=list)
    """The failing example, in words: a line for each call."""
    exercised: int = 0
    """How often the premise was met."""
    examples: int = 0
    seconds: float = 0.0
    seed: int = 0
    witness: str = ""
    """The failing example in a form that can be replayed; for ``conformance.toml``."""
    unproved: bool = False
    """Whether it is not applicable only because the suite has no means to look: the store may well
    break the property."""
    files: dict[str, str] = field(default_factory=dict)
    """For the report folder: name and content."""

    @classmethod
    def of(cls, check: Check, verdict: Verdict, reason: str = "", **more: Any) -> Outcome:
        """Return the outcome of a check."""
        return cls(check.number, check.lane, verdict, reason, **more)

    @property
    def id(self) -> str:
        """``LEA-05[model]``."""
        return f"{self.number}[{self.lane}]"

    def as_data(self) -> dict[str, Any]:
        """Return it as what JSON knows."""
        return {**asdict(self), "verdict": str(self.verdict)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Outcome:
        """Return what ``as_data`` was made from."""
        return cls(**{**data, "verdict": Verdict(data["verdict"])})
