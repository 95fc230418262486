"""Lets the checks of a property look at a mutant, or at a backend that is only unusual."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache

import pytest

from mutants.mutant import Mutant
from mutants.remote import serving
from taskkit_conformance.bench import Bench
from taskkit_conformance.check import Check, all_checks
from taskkit_conformance.harness import harness_of
from taskkit_conformance.profiles import PROFILES
from taskkit_conformance.run import execute
from taskkit_conformance.verdicts import Outcome, Verdict

_LONG = 20.0
"""Seconds for one check: so many that the number of examples decides."""
BY_CHANCE = ("race", "chaos")
"""Lanes in which the machine decides what happens: they may look as long as in `standard`."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the checks of one property said of a mutant, with one seed."""

    killed: bool
    said: str = ""


def checks_of(mutant: Mutant) -> list[Check]:
    """Return the checks that have to find it."""
    return [
        check
        for check in _checks()
        if check.number == mutant.property and check.lane == mutant.lane
    ]


def hunt(mutant: Mutant, seed: int, *, hurried: bool = True) -> Found:
    """Run them until one fails; not ``hurried``: so long that no busy machine cuts it short."""
    with mutated(mutant) as bench:
        for check in checks_of(mutant):
            outcome = run(check, bench, seed, hurried=hurried)
            if outcome.verdict is Verdict.FAIL:
                return Found(True, outcome.reason)
    return Found(False)


@contextmanager
def mutated(mutant: Mutant) -> Iterator[Bench]:
    """Open a bench on a mutant."""
    if not mutant.fault:
        with changed(mutant.apply, mutant.backend) as bench:
            yield bench
        return
    with serving() as server:
        bench = server.bench(mutant.fault)
        bench.open()
        try:
            yield bench
        finally:
            bench.close()


def alarms(
    apply: Callable[[pytest.MonkeyPatch], None], checks: Sequence[Check], seed: int
) -> list[str]:
    """Return what the checks say against a backend that is right."""
    found: list[str] = []
    with changed(apply) as bench:
        for check in checks:
            outcome = run(check, bench, seed)
            if outcome.verdict in (Verdict.FAIL, Verdict.UNKNOWN):
                found.append(f"{check.id}: {outcome.reason}")
    return found


@contextmanager
def changed(
    apply: Callable[[pytest.MonkeyPatch], None], backend: str = "memory"
) -> Iterator[Bench]:
    """Open a bench on a backend that has been changed."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        apply(patch)
        url = f"sqlite:///{folder}/{{namespace}}.db" if backend == "sql" else None
        bench = Bench(harness_of(backend), url)
        bench.open()
        try:
            yield bench
        finally:
            bench.close()


def run(
    check: Check, bench: Bench, seed: int, profile: str = "", *, hurried: bool = True
) -> Outcome:
    """Run one check within the budget of its profile, without making a failure small."""
    profile = profile or ("standard" if check.lane in BY_CHANCE else "quick")
    budget = replace(PROFILES[profile].budget(check, _checks()), shrinking=0)
    if not hurried:
        budget = replace(budget, seconds=_LONG)
    return execute(check, bench, budget, seed=seed)


@cache
def _checks() -> tuple[Check, ...]:
    return tuple(all_checks())
