"""What a person reads: the header, the report of a failure, the summary."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from taskkit_conformance.bench import SLOW_WIPE
from taskkit_conformance.expected import write_entry
from taskkit_conformance.facts import redacted
from taskkit_conformance.properties import LEVELS, properties, property_of
from taskkit_conformance.verdicts import Outcome, Verdict, worst

if TYPE_CHECKING:
    from taskkit_conformance.bench import Target
    from taskkit_conformance.facts import Facts
    from taskkit_conformance.profiles import Profile

_ESSENTIAL: Final = {"Durable": "DUR-01"}

_SECRET: Final = re.compile("pass|secret|token|credential", re.IGNORECASE)

_SHOWN: Final = 40
"""Lines of a failing example that a terminal shows; the report folder has all of them."""


def header(facts: Facts, profile: Profile, seed: int, checks: int, numbers: int) -> list[str]:
    """Return what is said before the first check: what, against what, how long."""
    at = f" at {facts.url}" if facts.url else ""
    by = f" ({facts.distribution})" if facts.distribution else ""
    resolution = facts.capabilities.get("time_resolution", 1)
    return [
        f"taskkit conformance {facts.versions['taskkit-conformance']}: {facts.name}{by}{at}",
        f"clock: the suite's own, moved by hand; resolution {resolution} µs",
        f"capabilities: {facts.declared()}",
        f"{checks} checks of {numbers} properties, {profile.name}: {profile.about}; seed {seed}",
    ]


def command(target: Target, facts: Facts, outcome: Outcome, profile: str) -> str:
    """Return the command that repeats one check: with the URL that was given, without passwords.

    Not the URL of the place that was made of it, of which there would be one only.
    """
    parts = ["taskkit-conformance", facts.name]
    url = facts.url if callable(target.url) else redacted(target.url)
    parts += ["--url", url] if url else []
    for key, value in target.options:
        shown = "***" if _SECRET.search(key) else value
        told = shown if isinstance(shown, str) else json.dumps(shown)
        parts += ["--option", f"{key}={told}"]
    parts += ["--property", outcome.number, "--lanes", outcome.lane]
    parts += ["--profile", profile, "--seed", str(outcome.seed)]
    return shlex.join(parts)


def failure(outcome: Outcome, facts: Facts, repeat: str) -> str:
    """Return the report of a check that failed."""
    promise = property_of(outcome.number)
    lines = [f"{outcome.id}: {promise.sentence}", ""]
    if outcome.verdict is Verdict.STALE:
        return "\n".join([*lines, outcome.reason])
    lines += [f"  {line}" for line in (outcome.message or outcome.reason).splitlines()]
    if outcome.program:
        lines += ["", f"  The smallest program that shows it ({len(outcome.program)} steps):"]
        hidden = len(outcome.program) - _SHOWN
        lines += [f"    … {hidden} steps before these"] if hidden > 0 else []
        start = max(0, hidden)
        lines += [f"    {n:>3}  {text}" for n, text in _numbered(outcome.program, start)]
    lines += ["", f"  Why it matters: {promise.why}", f"  Common mistake: {promise.mistake}"]
    lines += ["", f"  {_versions(facts)}; {outcome.examples} examples, seed {outcome.seed}"]
    lines += [f"  Repeat it: {repeat}"]
    if outcome.witness:
        entry = write_entry(outcome.number, outcome.lane, outcome.witness).splitlines()
        lines += ["  Expect it, in conformance.toml:", *(f"    {line}" for line in entry)]
    return "\n".join(lines)


def by_property(outcomes: Iterable[Outcome]) -> dict[str, Verdict]:
    """Return the verdict on each property that was run."""
    found: dict[str, list[Verdict]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.number, []).append(outcome.verdict)
    return {each.id: worst(found[each.id]) for each in properties() if each.id in found}


def levels(verdicts: Mapping[str, Verdict], unproved: Collection[str] = ()) -> list[str]:
    """Return the levels that can be claimed: the store keeps all their properties.

    A property passed, or there is nothing in this store that could break it: it does not declare
    the capability, or has no connection that could be cut. What gives a level its name has to
    apply: a store that does not declare itself durable is not. ``unproved`` are properties at
    which the suite could not look, for lack of means: they may be broken, so they cost the level.
    """
    claimed: list[str] = []
    for level in LEVELS:
        numbers = [each.id for each in properties() if each.level == level]
        essential = _ESSENTIAL.get(level)
        lacking = essential is not None and verdicts.get(essential) is not Verdict.PASS
        kept = all(
            verdicts.get(number) is Verdict.PASS
            or (verdicts.get(number) is Verdict.NOT_APPLICABLE and number not in unproved)
            for number in numbers
        )
        if lacking or not kept:
            # Queue needs Store, Leased needs Queue; the others stand beside each other.
            if level in LEVELS[:3]:
                break
            continue
        claimed.append(level)
    return claimed


def unproved(outcomes: Iterable[Outcome]) -> set[str]:
    """Return the properties of which a check could not be made though the store may break them."""
    return {outcome.number for outcome in outcomes if outcome.unproved}


def summary(
    outcomes: Sequence[Outcome],
    verdicts: Mapping[str, Verdict],
    expected: Mapping[str, str],
    facts: Facts,
) -> list[str]:
    """Return what is said at the end: the count of each verdict, and all that is not PASS."""
    counts = Counter(verdicts.values())
    told = ", ".join(f"{counts[each]} {each}" for each in Verdict if counts[each])
    lines = [f"properties: {told}"]
    alike: dict[tuple[Verdict, str], list[str]] = {}
    for number, verdict in verdicts.items():
        if verdict is not Verdict.PASS:
            reason = _reason(number, verdict, outcomes, expected)
            alike.setdefault((verdict, reason), []).append(number)
    for (verdict, reason), numbers in alike.items():
        lines.append(f"  {verdict:<14} {', '.join(numbers)}: {reason}")
    claimed = levels(verdicts, unproved(outcomes))
    lines.append(f"levels: {' + '.join(claimed) or 'none'}")
    idle = counts[Verdict.UNEXERCISED]
    if idle:
        lines.append(
            f"warning: nothing is proved of {idle} properties, whose premise was never met; in "
            "the profiles standard and thorough that is a failure"
        )
    if facts.wipe_ms > SLOW_WIPE * 1000:
        lines.append(
            f"emptying the store takes {facts.wipe_ms:.0f} ms; below {SLOW_WIPE * 1000:.0f} ms "
            "leaves more time for examples (see Harness.wipe)"
        )
    return lines


def _reason(
    number: str, verdict: Verdict, outcomes: Sequence[Outcome], expected: Mapping[str, str]
) -> str:
    reasons = [o.reason for o in outcomes if o.number == number and o.verdict is verdict]
    if reasons:
        return _cut(reasons[0])
    if verdict is Verdict.STALE:
        return _cut(f"it does not fail any more: remove this entry, {expected.get(number, '')}")
    return "no check was run"


def _cut(text: str) -> str:
    line = text.partition("\n")[0]
    return line if len(line) <= 110 else f"{line[:110]}…"


def _numbered(program: Sequence[str], start: int) -> list[tuple[int, str]]:
    return list(enumerate(program[start:], start + 1))


def _versions(facts: Facts) -> str:
    versions = [f"{name} {number}" for name, number in facts.versions.items()]
    # The memory backend comes from the core, which is among the versions.
    return ", ".join(dict.fromkeys([facts.distribution or facts.name, *versions]))
