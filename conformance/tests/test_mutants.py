"""The table of mutants is whole; a few of them are found and a few unusual backends pass.

All of them, with many seeds: ``nox -s mutants``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from taskkit_conformance.check import all_checks
from taskkit_conformance.properties import properties, withdrawn

sys.path.insert(0, str(Path(__file__).parent))

from benign import VARIANTS
from mutants import all_mutants, groups
from mutants.killing import alarms, checks_of, hunt

MUTANTS = {each.number: each for each in all_mutants()}

REPRESENTATIVE = (1, 12, 16, 24, 29, 35, 46, 59, 105, 123, 139, 151)
"""One of each kind: order, exclusion, fencing, bulk, looking in, input, limits; interleavings."""

USUAL = ("ORD-01", "EXC-04", "LEA-05", "LEA-13", "RES-05", "QRY-02", "VAL-07", "HIS-02")


def test_every_number_is_there_once():
    numbers = [each.number for each in all_mutants()]
    assert len(numbers) == len(set(numbers)) >= 110


def test_every_sentence_is_there_once_for_a_property():
    sentences = [(each.property, each.sentence) for each in all_mutants()]
    assert len(sentences) == len(set(sentences))


def test_every_mutant_names_a_property_that_is_tested_in_its_lane():
    for mutant in all_mutants():
        assert checks_of(mutant), f"mutant {mutant.number}: {mutant.property}[{mutant.lane}]"


def test_every_property_has_a_mutant():
    named = {each.property for each in all_mutants()}
    assert named == {each.id for each in properties()}
    assert not named & {each.id for each in withdrawn()}


def test_what_was_measured_is_told_as_it_was_measured():
    rows = groups.rows(MUTANTS)
    assert groups.text(rows) == groups.FILE.read_text(encoding="utf-8")
    assert not [row.mutant.number for row in rows if not row.groups]


def test_a_look_ends_when_another_group_accuses():
    _, found = groups.groups_that_find(24)
    assert len(found - {"LEA"}) == 1
    assert "LEA" in found


@pytest.mark.parametrize("number", REPRESENTATIVE)
def test_a_mutant_is_found(number):
    assert hunt(MUTANTS[number], seed=0, hurried=False).killed


@pytest.mark.parametrize("name", ["leaves gaps between tokens", "counts in milliseconds"])
def test_an_unusual_backend_passes(name):
    checks = [each for each in all_checks() if each.number in USUAL and each.lane == "model"]
    [apply] = [each for full, each in VARIANTS.items() if full.startswith(name)]
    assert not alarms(apply, checks, seed=0)
