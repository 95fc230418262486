"""The kill matrix: ``python -m mutants.matrix`` in the folder above, or ``nox -s mutants``.

Every mutant is looked at with several seeds by the checks of the property that has to find it, with
the examples of the quick profile; every benign variant by all checks of the model lane, which takes
longer and so is done with a tenth of the seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from benign import VARIANTS

from mutants import Mutant, all_mutants
from mutants.killing import alarms, hunt
from taskkit_conformance.check import all_checks
from taskkit_conformance.properties import property_of

FILE = Path(__file__).with_name("matrix.md")
ENOUGH = 0.95
"""Share of seeds with which a mutant has to be found."""

_HEAD = """\
# Kill matrix

Made by `nox -s mutants`: each mutant is one small fault, each named property has to find it, with
the examples of the quick profile (races: of the standard one) and {seeds} seeds. {good} of {total}
mutants were found in at least 95 % of the seeds. {benign} benign variants, looked at by all checks
of the model lane: {alarms}.

| # | mutant | property | lane | found | how it was told of |
| --- | --- | --- | --- | --- | --- |
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
    parser.add_argument("numbers", nargs="*", type=int, help="of mutants; all, and the benign ones")
    options = parser.parse_args(arguments)
    seeds = range(options.from_seed, options.from_seed + options.seeds)
    wanted = set(options.numbers)
    chosen = [each for each in all_mutants() if not wanted or each.number in wanted]
    rows = [_row(each, seeds) for each in chosen]
    false = [] if options.numbers else list(_false_alarms(seeds[: max(1, len(seeds) // 10)]))
    if not options.numbers:
        FILE.write_text(_text(rows, false, len(seeds)), encoding="utf-8")
    bad = [row for row in rows if not row.good]
    _say(f"{len(rows)} mutants, {len(bad)} of them not found; {len(false)} false alarms")
    return 1 if bad or false else 0


def _row(mutant: Mutant, seeds: range) -> Row:
    found = [hunt(mutant, seed) for seed in seeds]
    row = Row(
        mutant,
        sum(each.killed for each in found),
        len(seeds),
        next((each.said for each in found if each.killed), ""),
    )
    mark = "   " if row.good else "!!!"
    place = f"{mutant.property}[{mutant.lane}]"
    _say(f"{mark} {mutant.number:3} {place:18} {row.killed}/{row.seeds} {mutant.sentence}")
    return row


def _false_alarms(seeds: range) -> Iterator[str]:
    checks = [check for check in all_checks() if check.lane == "model"]
    checks = [check for check in checks if property_of(check.number).scope == "backend"]
    for name, apply in VARIANTS.items():
        told = [each for seed in seeds for each in alarms(apply, checks, seed)]
        _say(f"{'!!!' if told else '   '} benign: {name}: {len(told)} false alarms")
        for each in told:
            _say(f"    {each}")
            yield f"{name}: {each}"


def _text(rows: Sequence[Row], false: Sequence[str], seeds: int) -> str:
    head = _HEAD.format(
        seeds=seeds,
        total=len(rows),
        good=sum(row.good for row in rows),
        benign=len(VARIANTS),
        alarms="; ".join(false) or "no false alarm",
    )
    return head + "".join(_line(row) for row in rows)


def _line(row: Row) -> str:
    one = row.mutant
    said = row.said.replace("|", "\\|").replace("\n", " ")
    said = "".join(letter if letter.isprintable() else "·" for letter in said)
    said = f"`{said[:100]}`".replace("``", "")
    found = f"{row.killed} of {row.seeds}"
    return f"| {one.number} | {one.sentence} | {one.property} | {one.lane} | {found} | {said} |\n"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
