"""Runs the checks of one backend as parts of a whole: prerequisites, expected failures, core."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from taskkit.clock import monotonic
from taskkit_conformance.bench import Bench, Target
from taskkit_conformance.expected import Expectation, Expectations, write_entry
from taskkit_conformance.facts import Facts, suite_version
from taskkit_conformance.properties import property_of
from taskkit_conformance.run import execute, missing_capability, replay
from taskkit_conformance.verdicts import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.database import ExampleDatabase

    from taskkit_conformance.check import Check
    from taskkit_conformance.profiles import Budget, Profile

_PROBES: Final = 10
"""Examples for a prerequisite: it is only asked whether it works at all."""


@dataclass(slots=True)
class Judge:
    """Judges the checks of one target in one process."""

    target: Target
    profile: Profile
    seed: int
    expected: Expectations
    checks: Sequence[Check]
    """All that there are, chosen or not."""
    shelf: ExampleDatabase | None = None
    _bench: Bench | None = None
    _core: Bench | None = None
    _works: dict[str, bool] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)
    """What the probe of a prerequisite said that failed."""
    _shrunk: float = 0.0

    @property
    def bench(self) -> Bench:
        """The bench, opened when it is first needed.

        Raises:
            SetUpWrong: it cannot be opened.
        """
        if self._bench is None:
            self._bench = self.target.bench()
        return self._bench

    @property
    def is_open(self) -> bool:
        """Whether the bench has been opened."""
        return self._bench is not None

    def close(self) -> None:
        """Remove what was made."""
        for bench in (self._bench, self._core):
            if bench is not None:
                bench.close()

    def facts(self) -> Facts:
        """Return what is tested, with what."""
        return Facts.of(self.target, self.bench)

    def judge(self, check: Check) -> Outcome:
        """Run a check and return the verdict on it."""
        bench = self._bench_for(check)
        missing = missing_capability(check, bench)
        if missing:
            reason = f"the backend does not declare {missing}"
            return Outcome.of(check, Verdict.NOT_APPLICABLE, reason, seed=self.seed)
        blocker = self._blocker(check.number)
        if blocker:
            # The blocker's own check may pass, where chance plays a part: then only this tells why.
            said = self._said.get(blocker, "it does not work at all")
            reason = f"BLOCKED BY {blocker}"
            return Outcome.of(check, Verdict.BLOCKED, reason, seed=self.seed, message=said)
        entry = self.expected.get(check.number)
        if entry is not None and entry.concerns(check.lane):
            return self._expecting(check, bench, entry)
        return self._execute(check, bench)

    # ---- how it is run

    def _bench_for(self, check: Check) -> Bench:
        if property_of(check.number).scope == "backend":
            return self.bench
        if self._core is None:
            self._core = Target("memory").bench()
        return self._core

    def _execute(self, check: Check, bench: Bench) -> Outcome:
        budget = self.profile.budget(check, self.checks)
        left = max(0.0, self.profile.all_shrinking - self._shrunk)
        budget = replace(budget, shrinking=min(budget.shrinking, left))
        began = monotonic()
        outcome = execute(check, bench, budget, seed=self.seed, shelf=self.shelf)
        if outcome.verdict is Verdict.FAIL:
            self._shrunk += monotonic() - began
        elif outcome.verdict is Verdict.UNEXERCISED and self.profile.strict:
            outcome.message = f"{outcome.reason}: nothing is proved"
        return outcome

    def _budget(self, check: Check) -> Budget:
        return self.profile.budget(check, self.checks)

    # ---- prerequisites

    def _blocker(self, number: str) -> str:
        """Return the first property that this one needs and that does not work, or nothing."""
        if property_of(number).scope == "core":
            return ""
        for need in property_of(number).needs:
            deeper = self._blocker(need)
            if deeper:
                return deeper
            if need not in self.expected and not self._works_at_all(need):
                return need
        return ""

    def _works_at_all(self, number: str) -> bool:
        if number not in self._works:
            probes = (
                self._probe(check)
                for check in self.checks
                if check.number == number and check.lane == "model"
            )
            failed = next((probe for probe in probes if probe.verdict is Verdict.FAIL), None)
            self._works[number] = failed is None
            if failed is not None:
                self._said[number] = failed.reason
        return self._works[number]

    def _probe(self, check: Check) -> Outcome:
        budget = replace(self._budget(check), examples=_PROBES, shrinking=0.0)
        return execute(check, self.bench, budget, seed=self.seed)

    # ---- expected failures

    def _expecting(self, check: Check, bench: Bench, entry: Expectation) -> Outcome:
        witness = entry.witness.get(check.lane, "")
        if witness:
            repeated = replay(check, bench, self._budget(check), witness, seed=self.seed)
            if repeated is not None:
                repeated.verdict, repeated.reason = Verdict.EXPECTED, entry.told()
                return repeated
        # A witness of this very suite settles it; one of another may have been read differently.
        if witness and entry.suite == suite_version():
            return Outcome.of(check, Verdict.STALE, _stale(entry), seed=self.seed)
        outcome = self._execute(check, bench)
        if outcome.verdict is Verdict.FAIL:
            outcome.verdict, outcome.reason = Verdict.EXPECTED, entry.told()
        elif outcome.verdict is Verdict.PASS and witness:
            outcome.verdict, outcome.reason = Verdict.STALE, _stale(entry)
        return outcome


def _stale(entry: Expectation) -> str:
    return f"it does not fail any more: remove this entry, {entry.told()}"


__all__ = ["Judge", "write_entry"]
