"""The kill matrix: ``python -m mutants.matrix`` in the folder above, or ``nox -s mutants``.

Every mutant is looked at with several seeds by the checks of the property that has to find it, as
often and as long as the quick profile looks; in the lanes where the machine decides what happens
(race, chaos) as the standard profile does, and with three seeds, of which each costs seconds. Every
benign variant is looked at by all checks, with three seeds. What is not measured anew stays.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from math import ceil
from multiprocessing import get_context
from pathlib import Path

from benign import VARIANTS

from mutants import Mutant, all_mutants, groups
from mutants.killing import BY_CHANCE, alarms, hunt
from taskkit_conformance.check import all_checks
from taskkit_conformance.properties import property_of

FILE = Path(__file__).with_name("matrix.md")
BENIGN = Path(__file__).with_name("benign.md")
LANES = ("model", "interleave", "race")
"""In which a store of one process can be looked at."""
ENOUGH = 0.95
"""Share of seeds with which a mutant has to be found."""

_FEW = 3
"""Seeds for what costs seconds each."""

_HEAD = """\
# Kill matrix

Made by `nox -s mutants -- --seeds 20`: each mutant is one small fault, each named property has to
find it as often and as long as the quick profile looks (race and chaos: the standard one).

{good} of {total} mutants were found in at least 95 % of the seeds{rest}.

What one process cannot show is a fault of a store behind a network, in the lane chaos: `remote` in
the column of the store. All others are changes of the memory backend, of the core or (`sql`) of
SQLite's backend.

| # | mutant | property | lane | store | found | how it was told of |
| --- | --- | --- | --- | --- | --- | --- |
"""

_BENIGN = """\
# Benign variants

Made by `nox -s mutants -- --benign`: stores that are right, though unusual, looked at by all checks
of the lanes {lanes}, as long as the quick profile does, with {few} seeds. None of them may be
accused.

| variant | accused by |
| --- | --- |
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one mutant."""

    mutant: Mutant
    killed: int
    seeds: int
    said: str

    @property
    def good(self) -> bool:
        """Whether it was found often enough."""
        return self.killed >= ceil(ENOUGH * self.seeds)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the matrix, write it down, and return 1 if something is not as it should be."""
    parser = argparse.ArgumentParser(prog="mutants", description="Prove the suite.")
    parser.add_argument("--seeds", type=int, default=3, help="how many; 20 for the whole proof")
    parser.add_argument("--from-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument(
        "--groups", action="store_true", help="tell instead which groups find which mutant"
    )
    parser.add_argument("--benign", action="store_true", help="look at the benign variants alone")
    parser.add_argument("numbers", nargs="*", type=int, help="of mutants; all, and the benign ones")
    options = parser.parse_args(arguments)
    if options.groups:
        return groups.measure(options.numbers, options.jobs)
    seeds = range(options.from_seed, options.from_seed + options.seeds)
    rows: list[Row] = []
    false = 0
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        if not options.benign:
            rows = _rows(pool, options.numbers, seeds)
        if not options.numbers:
            false = _false_alarms(pool, range(_FEW))
    bad = [row for row in rows if not row.good]
    _say(f"{len(rows)} mutants, {len(bad)} of them not found; {false} false alarms")
    return 1 if bad or false else 0


def _rows(pool: Executor, numbers: Sequence[int], seeds: range) -> list[Row]:
    """Measure, and write down what was measured, with what was measured before."""
    mutants = {each.number: each for each in all_mutants()}
    rows = {row.mutant.number: row for row in _read(mutants)}
    looks = [pool.submit(hunted, number, seeds) for number in numbers or mutants]
    measured = []
    for done in as_completed(looks):
        number, killed, looked, said = done.result()
        row = rows[number] = Row(mutants[number], killed, looked, said)
        measured.append(row)
        FILE.write_text(_text([rows[each] for each in sorted(rows)]), encoding="utf-8")
        mark = "   " if row.good else "!!!"
        place = f"{row.mutant.property}[{row.mutant.lane}]"
        _say(f"{mark} {number:3} {place:18} {killed}/{looked} {row.mutant.sentence}")
    return measured


def _read(mutants: Mapping[int, Mutant]) -> Iterator[Row]:
    """Read the rows that were measured before."""
    lines = FILE.read_text(encoding="utf-8").splitlines() if FILE.exists() else []
    for line in lines:
        cells = [cell.strip() for cell in line.split(" | ", 6)]
        number = cells[0].removeprefix("| ")
        if len(cells) == 7 and number.isdecimal() and int(number) in mutants:
            killed, _, seeds = cells[5].partition(" of ")
            said = cells[6].removesuffix(" |").strip("`").replace("\\|", "|")
            yield Row(mutants[int(number)], int(killed), int(seeds), said)


def hunted(number: int, seeds: range) -> tuple[int, int, int, str]:
    """Return a mutant's number, in how many of how many seeds it was found, and what was said."""
    [mutant] = [each for each in all_mutants() if each.number == number]
    seeds = seeds[:_FEW] if mutant.lane in BY_CHANCE else seeds
    found = [hunt(mutant, seed) for seed in seeds]
    said = next((each.said for each in found if each.killed), "")
    return number, sum(each.killed for each in found), len(seeds), said


def _false_alarms(pool: Executor, seeds: range) -> int:
    """Look at all benign variants, write down who was accused, and return how often."""
    looks = {pool.submit(alarmed, name, seed): name for name in VARIANTS for seed in seeds}
    told: dict[str, list[str]] = {name: [] for name in VARIANTS}
    for done in as_completed(looks):
        name = looks[done]
        _say(f"{'!!!' if done.result() else '   '} benign: {name} {' '.join(done.result())}")
        told[name] += done.result()
    head = _BENIGN.format(lanes=", ".join(LANES), few=len(seeds))
    lines = [f"| {name} | {'; '.join(said) or 'none'} |\n" for name, said in told.items()]
    BENIGN.write_text(head + "".join(lines), encoding="utf-8")
    return sum(len(said) for said in told.values())


def alarmed(name: str, seed: int) -> list[str]:
    """Return what all checks that apply say against a benign variant."""
    checks = [check for check in all_checks() if check.lane in LANES]
    checks = [check for check in checks if property_of(check.number).scope == "backend"]
    return alarms(VARIANTS[name], checks, seed)


def _text(rows: Sequence[Row]) -> str:
    left = len(all_mutants()) - len(rows)
    head = _HEAD.format(
        total=len(rows),
        good=sum(row.good for row in rows),
        rest=f"; {left} are not measured yet" if left else "",
    )
    return head + "".join(_line(row) for row in rows)


def _line(row: Row) -> str:
    one = row.mutant
    said = row.said.replace("|", "\\|").replace("\n", " ")
    said = "".join(letter if letter.isprintable() else "·" for letter in said)
    said = f"`{said[:100]}`".replace("``", "")
    found = f"{row.killed} of {row.seeds}"
    cells = (str(one.number), one.sentence, one.property, one.lane, one.backend, found, said)
    return f"| {' | '.join(cells)} |\n"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
