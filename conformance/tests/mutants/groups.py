"""Which groups of properties find which mutant: ``python -m mutants.matrix --groups``.

A mutant that every group finds says little about the property that it was made for. So each is
looked at by all checks of the lane in which it has to be found, as often and as long as the quick
profile does, and the groups that accuse it are written down. A property is proved by itself if one
of its mutants is found by its own group and by no other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from mutants import Mutant, all_mutants
from mutants.killing import mutated, run
from taskkit_conformance.check import all_checks
from taskkit_conformance.properties import GROUPS, properties, property_of
from taskkit_conformance.verdicts import Verdict

FILE = Path(__file__).with_name("groups.md")

_HEAD = """\
# Which groups find a mutant

Made by `nox -s mutants -- --groups`: every mutant was looked at by all checks of the lane in which
it has to be found, as long as the quick profile does, with seed 0.

{alone} of the {mandatory} mandatory properties have a mutant that no other group finds. Of the
others every mutant breaks a promise of another group, too: {shared}.

| # | property | mutant | its own group | other groups |
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


def measure(numbers: Sequence[int] = (), jobs: int = 1) -> int:
    """Measure, and write the table down; rows that are not measured anew stay as they are.

    Returns 1 if a mutant was not found by its own group.
    """
    mutants = {each.number: each for each in all_mutants()}
    rows = {row.mutant.number: row for row in _read(mutants)}
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        looks = [pool.submit(groups_that_find, number) for number in numbers or mutants]
        for done in as_completed(looks):
            number, found = done.result()
            row = rows[number] = Row(mutants[number], found)
            FILE.write_text(_text([rows[each] for each in sorted(rows)]), encoding="utf-8")
            sys.stdout.write(_line(row))
            sys.stdout.flush()
    return 0 if all(row.own for row in rows.values()) else 1


def groups_that_find(number: int) -> tuple[int, frozenset[str]]:
    """Return the groups of which a check fails against a mutant."""
    [mutant] = [each for each in all_mutants() if each.number == number]
    found: set[str] = set()
    with mutated(mutant) as bench:
        for check in all_checks():
            if check.lane != mutant.lane:
                continue
            group = property_of(check.number).group
            if group not in found and run(check, bench, 0, "quick").verdict is Verdict.FAIL:
                found.add(group)
    return number, frozenset(found)


def _read(mutants: Mapping[int, Mutant]) -> Iterator[Row]:
    """Read the rows that were measured before."""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    for line in lines:
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 7 and cells[1].isdecimal() and int(cells[1]) in mutants:
            mutant = mutants[int(cells[1])]
            own = {property_of(mutant.property).group} if cells[4] == "found" else set()
            yield Row(mutant, frozenset(own | set(cells[5].split())))


def _text(rows: Sequence[Row]) -> str:
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
        *("found" if row.own else "not in quick", " ".join(row.others)),
    )
    return f"| {' | '.join(cells)} |\n"
