"""What a person can read about the properties: the list, one explained, ``docs/guarantees.md``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from taskkit_conformance.matrix import matrix
from taskkit_conformance.properties import (
    GROUPS,
    LEVELS,
    Property,
    properties,
    property_of,
    select,
    withdrawn,
)

_INTRODUCTION: Final = """\
# What taskkit guarantees

Every promise below has a number, and a test that tries to refute it: the conformance suite
(`pip install taskkit-conformance`, then `taskkit-conformance sql --url sqlite:///empty.db`). A
backend that passes keeps the same promises as every other one that passes. Numbers are never used
again, and a sentence never grows stronger without a new number.

This page is made from the table that the suite runs by, with
`taskkit-conformance --guarantees > docs/guarantees.md`: it cannot promise what is not tested.

*Tested in*: **model**, generated programs compared with a model; **interleave**, a few actors whose
steps are put in every order; **race**, real threads and processes; **chaos**, kills, pauses, cut
connections, restarts. `taskkit-conformance --explain LEA-05` tells more about one of them.
"""


def listing(checks: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a line for each property; ``checks`` tells the lanes in which each has a check."""
    for group, about in GROUPS.items():
        members = [each for each in properties() if each.group == group]
        if members:
            yield f"{group}: {about}"
        for each in members:
            lanes = ", ".join(checks.get(each.id, ())) or "no check yet"
            notes = [lanes, *([f"needs {each.capability}"] if each.capability else [])]
            yield f"  {each.id}  {each.sentence} [{'; '.join(notes)}]"


def explanation(name: str) -> str:
    """Return what there is to know about one property, or about all of a group.

    Raises:
        KeyError: there is none of this number or group.
    """
    if name.upper() in GROUPS:
        members = [each for each in (*select([name]), *withdrawn()) if each.group == name.upper()]
        return "\n\n".join(map(_explained, members))
    return _explained(property_of(name))


def _explained(found: Property) -> str:
    if found.withdrawn:
        return f"{found.id} is withdrawn: {found.withdrawn}"
    parts = [
        ("", found.sentence),
        ("Why it matters: ", found.why),
        ("Example: ", found.history),
        ("Common mistake: ", found.mistake),
        ("Tested in: ", ", ".join(found.lanes)),
        ("Level: ", found.level),
    ]
    if found.scope == "core":
        parts.append(("Kept by: ", "the core, whatever the backend"))
    if found.capability:
        parts.append(("Only where the backend declares: ", found.capability))
    if found.needs:
        parts.append(("Cannot be tested without: ", ", ".join(found.needs)))
    told = [
        textwrap.fill(head + text, 88, initial_indent="  ", subsequent_indent="    ")
        for head, text in parts
    ]
    return "\n".join([f"{found.id}: {GROUPS[found.group]}", *told])


def guarantees(reports: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return docs/guarantees.md."""
    lines = [_INTRODUCTION]
    if reports:
        lines += ["## Which backends were tested", "", matrix(reports)]
    lines += ["## Levels", "", *_level_rows(), ""]
    for group, about in GROUPS.items():
        members = [each for each in properties() if each.group == group]
        if members:
            lines += [
                f"## {group}: {about}",
                "",
                "| | promise | tested in |",
                "| --- | --- | --- |",
            ]
            lines += [_row(each) for each in members]
            lines += [""]
    lines += ["## Withdrawn", "", "These numbers are not used again.", ""]
    lines += [f"- {each.id}: {each.withdrawn}" for each in withdrawn()]
    return "\n".join(lines) + "\n"


def _level_rows() -> Iterator[str]:
    yield "A backend that keeps all properties of a level may say so: they passed, or it has"
    yield "nothing that could break them (a capability that it does not declare, no connection that"
    yield "could be cut). Where the suite had no means to look, the level is not proved. Queue"
    yield "needs Store, and Leased needs Queue."
    yield ""
    yield "| level | properties |"
    yield "| --- | --- |"
    for level in LEVELS:
        groups = dict.fromkeys(each.group for each in properties() if each.level == level)
        yield f"| {level} | {', '.join(groups)} |"


def _row(each: Property) -> str:
    notes = [", ".join(each.lanes)]
    if each.capability:
        notes.append(f"where `{each.capability}` is declared")
    if each.scope == "core":
        notes.append("of the core")
    sentence = each.sentence.replace("|", "\\|")
    return f"| **{each.id}** | {sentence} *{each.why}* | {'; '.join(notes)} |"
