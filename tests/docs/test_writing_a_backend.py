"""What ``docs/writing-a-backend.md`` lists is what there is."""

from __future__ import annotations

import pkgutil
import re
from dataclasses import fields
from pathlib import Path

from taskkit import backend, errors, simple
from taskkit.records import Capabilities
from taskkit.task import FINISHED, TRANSITIONS, UNCLAIMED, State
from taskkit_conformance.harness import Harness
from taskkit_conformance.properties import GROUPS, select

PAGE = (Path(__file__).parents[2] / "docs" / "writing-a-backend.md").read_text("utf-8")

MEANS = {
    "absent": {None},
    "unclaimed": UNCLAIMED,
    "finished": FINISHED,
    "any": {None, *State},
}


def table(head):
    """Return the rows of the table that begins with this head, without markup."""
    lines = PAGE[PAGE.index(head) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names(cell):
    return re.findall(r"`(\w+)", cell)


def states(cell):
    return set().union(*(MEANS.get(word) or {State(word)} for word in cell.split(", ")))


def test_every_arrow_of_the_lifecycle_is_in_the_table_and_no_other():
    told = set()
    for operation, before, after, _ in table("| operation | from"):
        if after == "the same" or before == after == "absent":
            continue
        targets = states(after)
        told |= {(one, two) for one in states(before) for two in targets}
        assert operation
    arrows = {(one, two) for one, targets in TRANSITIONS.items() for two in targets}
    running = {(State.RUNNING, State.RUNNING)}  # marked as to be cancelled
    assert told - {(None, None)} == arrows | running


def test_every_protocol_and_method_is_told():
    told = dict(re.findall(r"^### (\w+): (.*)$", PAGE, re.M))
    parts = [part for part in backend.Backend.__mro__ if part.__module__ == backend.__name__]
    assert {part.__name__ for part in parts} - {"Backend"} == set(told)
    for part in parts:
        methods = {name for name in vars(part) if not name.startswith("_")}
        assert part is backend.Backend or set(names(told[part.__name__])) == methods


def test_capabilities_errors_members_and_modules_exist():
    capabilities = {name for row in table("| field | say it if") for name in names(row[0])}
    assert capabilities == {each.name for each in fields(Capabilities)} - {"name"}
    raised = [name for row in table("| raise | when") for name in names(row[0])]
    assert all(issubclass(getattr(errors, name), errors.TaskkitError) for name in raised)
    members = {name for row in table("| member | makes possible") for name in names(row[0])}
    known = {*vars(Harness), *Harness.__annotations__}
    assert members <= known
    modules = {name for row in table("| module | |") for name in names(row[0])}
    assert modules == {each.name for each in pkgutil.iter_modules(simple.__path__)}


def test_properties_that_are_named_exist():
    named = set(re.findall(r"\b([A-Z]{3}-\d\d)\b", PAGE))
    assert len(named) > 8
    assert len(select(sorted(named))) == len(named)
    for sentence in re.findall(r"^Proved by (.*)\.$", PAGE, re.M):
        wanted = re.findall(r"[A-Z]{3}(?:-\d\d)?", sentence)
        assert all(name in GROUPS or select([name]) for name in wanted)
