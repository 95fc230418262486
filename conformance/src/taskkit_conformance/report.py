"""``report.json``: what was seen in one run of one backend, in a form that others can read."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from taskkit.clock import monotonic
from taskkit_conformance.facts import Facts
from taskkit_conformance.profiles import Profile
from taskkit_conformance.properties import properties, property_of
from taskkit_conformance.telling import by_property, levels, summary, unproved
from taskkit_conformance.verdicts import Outcome, Verdict

if TYPE_CHECKING:
    from taskkit_conformance.settings import Settings

SCHEMA: Final = 1
"""Of report.json; raised when a reader of the old one would misread the new one."""

_FAILING: Final = (Verdict.FAIL, Verdict.STALE, Verdict.BLOCKED, Verdict.UNKNOWN)


class UnreadableReport(ValueError):
    """A file is no report of this suite, or one that this version cannot read."""


@dataclass(slots=True)
class Report:
    """What was seen of one backend."""

    facts: Facts
    profile: Profile
    seed: int
    lanes: tuple[str, ...]
    whole: bool
    """Whether no property and no lane was left out."""
    outcomes: list[Outcome] = field(default_factory=list)
    seconds: float = 0.0
    expected: tuple[str, ...] = ()
    """Numbers that ``conformance.toml`` names."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    _began: float = field(default_factory=monotonic)

    @classmethod
    def begin(cls, data: Mapping[str, Any], settings: Settings) -> Report:
        """Return an empty report of the run that sent this first outcome."""
        return cls(
            facts=Facts(**data["facts"]),
            profile=settings.profile,
            seed=data["seed"],
            lanes=settings.lanes,
            whole=settings.whole,
            expected=tuple(settings.expected),
            reasons={number: entry.told() for number, entry in settings.expected.items()},
        )

    def add(self, data: Mapping[str, Any]) -> None:
        """Take up an outcome."""
        self.outcomes.append(Outcome.from_data(data["outcome"]))
        self.facts = Facts(**data["facts"])
        self.seconds = round(monotonic() - self._began, 1)

    # ---- what it comes to

    def verdicts(self) -> dict[str, Verdict]:
        """Return the verdict on each property, those without any check too in a whole run."""
        found = by_property(self.outcomes)
        for number in self.expected:
            # An entry without a witness may fail in any of its lanes: in none is one too few.
            if found.get(number) is Verdict.PASS:
                found[number] = Verdict.STALE
        if not self.whole:
            return found
        return {each.id: found.get(each.id, Verdict.UNEXERCISED) for each in properties()}

    def executed(self) -> int:
        """Return how many checks were executed."""
        idle = (Verdict.NOT_APPLICABLE, Verdict.BLOCKED)
        return sum(outcome.verdict not in idle for outcome in self.outcomes)

    def failing(self) -> bool:
        """Return whether the backend is not conformant, as far as was looked."""
        verdicts = set(self.verdicts().values())
        if self.profile.strict and Verdict.UNEXERCISED in verdicts:
            return True
        return any(verdict in verdicts for verdict in _FAILING)

    def summary(self) -> list[str]:
        """Return what is said at the end of a run."""
        return summary(self.outcomes, self.verdicts(), self.reasons, self.facts)

    # ---- as files

    def as_data(self) -> dict[str, Any]:
        """Return it as what JSON knows; ``docs/conformance.md`` describes the fields."""
        verdicts = self.verdicts()
        return {
            "schema": SCHEMA,
            "backend": self.facts.as_data(),
            "profile": self.profile.name,
            "seed": self.seed,
            "lanes": list(self.lanes),
            "whole": self.whole,
            "seconds": self.seconds,
            "levels": levels(verdicts, unproved(self.outcomes)),
            "properties": {
                number: {
                    "sentence": property_of(number).sentence,
                    "verdict": str(verdict),
                    "checks": [
                        {key: value for key, value in o.as_data().items() if key != "files"}
                        for o in self.outcomes
                        if o.number == number
                    ],
                }
                for number, verdict in verdicts.items()
            },
        }

    def write(self, folder: Path) -> None:
        """Write report.json, matrix.md, badge.json and the raw histories of failures."""
        from taskkit_conformance.matrix import badge, matrix

        folder.mkdir(parents=True, exist_ok=True)
        data = self.as_data()
        _write_json(folder / "report.json", data)
        _write_json(folder / "badge.json", badge(data))
        (folder / "matrix.md").write_text(matrix([data]), "utf-8")
        for outcome in self.outcomes:
            for name, content in outcome.files.items():
                safe = re.sub(r"[^\w.-]", "_", name)
                file = folder / "histories" / f"{outcome.id}-{safe}"
                file.parent.mkdir(exist_ok=True)
                file.write_text(content, "utf-8")


def read_report(path: Path) -> dict[str, Any]:
    """Return the data of a report; ``path`` is the file or its folder.

    Raises:
        UnreadableReport: there is none, or it has another schema.
    """
    file = path / "report.json" if path.is_dir() else path
    try:
        data = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableReport(f"{file}: expected a report: {error}") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA:
        raise UnreadableReport(f"{file}: expected a report of schema {SCHEMA}, found {schema!r}")
    assert isinstance(data, dict)
    return data


def _write_json(file: Path, data: object) -> None:
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")
