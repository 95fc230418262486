"""The table of properties, and what is made from it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from taskkit.records import Capabilities
from taskkit_conformance import cli
from taskkit_conformance.check import all_checks
from taskkit_conformance.explain import explanation, guarantees, listing
from taskkit_conformance.properties import (
    GROUPS,
    properties,
    property_of,
    select,
    smoke,
    withdrawn,
)
from taskkit_conformance.report import read_report

ROOT = Path(__file__).parents[2]


def test_each_property_says_all_that_there_is_to_say():
    for each in properties():
        assert re.fullmatch(r"[A-Z]{3}-\d\d", each.id)
        assert each.group in GROUPS
        assert each.sentence.endswith(".")
        for text in (each.why, each.history, each.mistake, each.lanes):
            assert text, each.id
        assert not each.capability or hasattr(Capabilities("x"), each.capability)


def test_numbers_are_without_gaps_in_each_group():
    numbers = sorted(each.id for each in (*properties(), *withdrawn()))
    for group in GROUPS:
        found = [int(number[4:]) for number in numbers if number.startswith(group)]
        assert found == list(range(1, len(found) + 1)), group


def test_prerequisites_are_few_and_end():
    assert len(smoke()) <= 8

    def depth(number):
        return 1 + max((depth(need) for need in property_of(number).needs), default=0)

    assert max(depth(each.id) for each in properties()) <= 4


def test_a_group_and_a_number_can_be_selected():
    assert {each.group for each in select(["lea"])} == {"LEA"}
    assert [each.id for each in select(["ord-03"])] == ["ORD-03"]
    assert select([]) == properties()
    with pytest.raises(KeyError, match="did you mean"):
        select(["LEA-99"])


def test_each_check_is_of_a_property_that_is_promised():
    live = {each.id for each in properties()}
    assert {check.number for check in all_checks()} <= live


def test_the_page_of_guarantees_is_made_from_the_table():
    reports = sorted((ROOT / "docs" / "conformance").glob("*.json"))
    made = guarantees([read_report(path) for path in reports])
    page = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
    assert page == made, "run: taskkit-conformance --guarantees docs/conformance/*.json"


def test_the_list_names_every_property():
    text = "\n".join(listing({"ORD-01": ["model"]}))
    assert all(each.id in text for each in properties())
    assert "[model]" in text


def test_one_property_can_be_explained(capsys):
    assert cli.main(["--explain", "lea-05"]) == 0
    told = capsys.readouterr().out
    for part in ("outdated token", "Why it matters", "Example", "Common mistake", "race"):
        assert part in told
    assert cli.main(["--explain", "LEA-99"]) == 2
    assert "withdrawn" in explanation("EXC-08")


def test_a_whole_group_can_be_explained(capsys):
    assert cli.main(["--explain", "pri"]) == 0
    told = capsys.readouterr().out
    assert [told.count(f"PRI-0{number}: ") for number in (1, 2, 3)] == [1, 1, 1]


def test_a_reader_that_has_seen_enough_is_no_error():
    listing = [sys.executable, "-m", "taskkit_conformance.cli", "--list"]
    with subprocess.Popen(listing, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        command.stdout.close()
        assert command.stderr.read() == b""
        assert command.wait(30) == 0


def test_the_command_without_a_backend_says_what_is_missing(capsys, monkeypatch):
    monkeypatch.delenv("TASKKIT_BACKEND", raising=False)
    assert cli.main([]) == 2
    assert "expected the name of a backend" in capsys.readouterr().err


def test_the_command_lists_and_prints_the_guarantees(capsys):
    assert cli.main(["--list"]) == 0
    assert "VAL-10" in capsys.readouterr().out
    assert cli.main(["--guarantees"]) == 0
    assert capsys.readouterr().out.startswith("# What taskkit guarantees")
