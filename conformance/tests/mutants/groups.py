"""Which groups of properties find which mutant: ``python -m mutants.matrix --groups``.

A mutant that every group finds says little about the property that it was made for. So each is
looked at by all checks of mandatory properties, and the groups that accuse it are written down. A
property is proved by itself if one of its mutants is found by its own group and by no other.

A look ends when another group accuses. What the table has already is not measured again unless it
is named.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from mutants import Mutant, all_mutants
from mutants.killing import mutated
from taskkit_conformance.bench import Bench, Target
from taskkit_conformance.check import Lane, all_checks
from taskkit_conformance.judge import Judge
from taskkit_conformance.profiles import PROFILES, Effort
from taskkit_conformance.properties import GROUPS, properties, property_of
from taskkit_conformance.verdicts import Outcome, Verdict

FILE = Path(__file__).with_name("groups.md")

_SHARE: Final = 0.25
"""Of the quick profile's examples, in the lane in which a mutant has to be found; …"""
_BESIDE: Final = 0.1
"""… and in the other lanes."""
_LANES: Final[tuple[Lane, ...]] = ("model", "interleave", "race")
"""In which a store of one process can be looked at."""
_TIMES: Final = 100.0
"""So many times longer than its share a check may take: the number of examples is to decide, not
how busy the machine is."""
_BLAME: Final = re.compile(r"([A-Z]{3}-\d\d): ")
"""How a report of the random program names the property that is broken."""

_HEAD = """\
# Which groups find a mutant

Made by `nox -s mutants -- --groups`: a store with one fault, looked at by all checks of mandatory
properties with seed 0: by those of its own group as long as the quick profile looks, by the others
in the lane in which it has to be found with a quarter of those examples, and with a tenth in the
others of model, interleave and race. It is judged as in a run: what a broken prerequisite blocks
accuses nobody, and where that is all that its own group says of a mutant, it stands as blocked: the
fault breaks what the check needs to begin. The random program (EXC-01) compares everything with the
model; it counts for the group of the property that its report names. Where another group accuses,
the search ends: there may be more of them. Not all mutants have been looked at, and of the store
behind a network none.

Two pairs overlap by nature: a retry that brings back a deleted task (RTY-07) is an outcome that
brings back a removed one (EXC-06), and claimers that go away empty at the same time (EXC-02) are
given fewer than there are (BLK-06).

{alone} of the {mandatory} mandatory properties have a mutant that no other group finds. Of the
others none is known yet: {shared}.

| # | property | mutant | its own group | another group |
| --- | --- | --- | --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What was said of one mutant."""

    mutant: Mutant
    groups: frozenset[str]

    @property
    def own(self) -> bool:
        """Whether the group of its property found it."""
        return property_of(self.mutant.property).group in self.groups

    @property
    def others(self) -> list[str]:
        """The other groups that found it, in the table's order."""
        own = property_of(self.mutant.property).group
        return [group for group in GROUPS if group in self.groups and group != own]


def measured(mutants: Iterable[Mutant]) -> list[int]:
    """Return the numbers of the mutants that are looked at, of these."""
    return [
        each.number
        for each in mutants
        if not property_of(each.property).capability
        and (each.lane in _LANES or property_of(each.property).lanes == (each.lane,))
    ]


def measure(numbers: Sequence[int] = (), jobs: int = 1) -> int:
    """Measure, and write the table down; rows that are not measured anew stay as they are.

    Returns 1 if no group found a mutant.
    """
    mutants = {each.number: each for each in all_mutants()}
    known = {row.mutant.number: row for row in rows(mutants)}
    new = [number for number in measured(mutants.values()) if number not in known]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_quietly) as pool:
        looks = [pool.submit(groups_that_find, number) for number in numbers or new]
        for done in as_completed(looks):
            number, found = done.result()
            row = known[number] = Row(mutants[number], found)
            FILE.write_text(text([known[each] for each in sorted(known)]), encoding="utf-8")
            sys.stdout.write(_line(row))
            sys.stdout.flush()
    return 0 if all(row.groups for row in known.values()) else 1


def _quietly() -> None:
    logging.disable(logging.CRITICAL)  # what a mutant makes the core warn of is of no interest


def groups_that_find(number: int) -> tuple[int, frozenset[str]]:
    """Return the groups of which a check fails against a mutant."""
    [mutant] = [each for each in all_mutants() if each.number == number]
    own = property_of(mutant.property).group
    beside = [lane for lane in _LANES if lane != mutant.lane]
    looks = [(_SHARE, mutant.lane), *((_BESIDE, lane) for lane in beside)]
    found: set[str] = set()
    works: dict[str, bool] = {}
    for share, lane in looks:
        with mutated(mutant) as bench:
            judges = _judge(bench, 1.0, works), _judge(bench, share, works)
            found |= _accusing(*judges, lane, own)
        if found - {own}:
            break
    return number, frozenset(found)


def _accusing(mine: Judge, others: Judge, lane: Lane, own: str) -> set[str]:
    """Return the groups that accuse the store, the own one first, up to the first other one."""
    found: set[str] = set()
    for check in sorted(mine.checks, key=lambda each: property_of(each.number).group != own):
        of = property_of(check.number)
        # The random program, one of EXC's, may accuse any group.
        if check.lane != lane or of.capability or (of.group in found and of.group != "EXC"):
            continue
        outcome = (mine if of.group == own else others).judge(check)
        if outcome.verdict is Verdict.FAIL:
            found |= _accused(outcome)
        if found - {own}:
            break
    return found


def _judge(bench: Bench, share: float, works: dict[str, bool]) -> Judge:
    """Return a judge for a share of the examples; ``works`` keeps what works at all."""
    quick = PROFILES["quick"]
    lanes = {
        lane: Effort(max(1, round(effort.examples * share)), effort.seconds * _TIMES * share)
        for lane, effort in quick.lanes.items()
    }
    profile = replace(quick, lanes=lanes, shrinking=0.0, all_shrinking=0.0)
    checks = tuple(all_checks())
    return Judge(Target("memory"), profile, 0, {}, checks, _bench=bench, _core=bench, _works=works)


def _accused(outcome: Outcome) -> set[str]:
    blamed = _BLAME.match(outcome.reason)
    named = property_of(blamed[1] if blamed else outcome.number)
    return set() if named.capability else {named.group}


def rows(mutants: Mapping[int, Mutant]) -> list[Row]:
    """Return what was measured before, of these mutants."""
    return list(_read(mutants))


def _read(mutants: Mapping[int, Mutant]) -> Iterator[Row]:
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    for line in lines:
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 7 and cells[1].isdecimal() and int(cells[1]) in mutants:
            mutant = mutants[int(cells[1])]
            own = {property_of(mutant.property).group} if cells[4] == "found" else set()
            yield Row(mutant, frozenset(own | set(cells[5].split())))


def text(rows: Sequence[Row]) -> str:
    """Return the table, with what can be said of all of it."""
    mandatory = [each.id for each in properties() if not each.capability]
    alone = {row.mutant.property for row in rows if row.own and not row.others}
    shared = [number for number in mandatory if number not in alone]
    head = _HEAD.format(
        alone=len(mandatory) - len(shared),
        mandatory=len(mandatory),
        shared=", ".join(shared) or "none",
    )
    return head + "".join(_line(row) for row in rows)


def _line(row: Row) -> str:
    one = row.mutant
    cells: Iterable[str] = (
        *(str(one.number), one.property, one.sentence),
        "found" if row.own else "blocked" if row.others else "not in quick",
        " ".join(row.others),
    )
    return f"| {' | '.join(cells)} |\n"
