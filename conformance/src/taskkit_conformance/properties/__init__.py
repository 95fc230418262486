"""The table of properties: every promise, its number, and what is known about it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

from taskkit_conformance.properties import (
    control,
    durability,
    exclusion,
    input,  # noqa: A004 - the module is never called
    leases,
    order,
    reading,
    results,
    schedules,
    waiting,
)
from taskkit_conformance.properties.property import LEVELS, Level, Property, Scope

_TABLE: Final[dict[str, Property]] = {
    each.id: each
    for module in (
        *(order, exclusion, leases, results, schedules, durability, control, waiting, reading),
        input,
    )
    for each in module.PROPERTIES
}

GROUPS: Final[dict[str, str]] = {
    "ORD": "order",
    "PRI": "priority",
    "FAR": "fairness among subgroups",
    "EXP": "expiry",
    "EXC": "exclusive claims",
    "UNQ": "unique keys",
    "LIM": "locks, limits and rates",
    "LEA": "leases and fencing",
    "LST": "the work of the dead",
    "RTY": "retry",
    "RES": "results",
    "HIS": "history, progress and labels",
    "SCH": "schedules",
    "DUR": "durability",
    "EVT": "control events",
    "CTL": "control",
    "WAI": "waiting",
    "QRY": "counting, finding, requeueing",
    "BLK": "many at once",
    "INT": "looking in",
    "VAL": "input",
}
"""Each group's three letters, and what it is about."""


def properties() -> tuple[Property, ...]:
    """Return all properties that are promised, in the table's order."""
    return tuple(each for each in _TABLE.values() if not each.withdrawn)


def withdrawn() -> tuple[Property, ...]:
    """Return those that are promised no longer."""
    return tuple(each for each in _TABLE.values() if each.withdrawn)


def property_of(number: str) -> Property:
    """Return a property by its number.

    Raises:
        KeyError: there is none; says which are like it.
    """
    number = number.upper()
    if number not in _TABLE:
        close = get_close_matches(number, _TABLE, n=3)
        raise KeyError(
            f"expected the number of a property, found {number!r}"
            + (f"; did you mean {', '.join(close)}?" if close else "")
            + "; taskkit-conformance --list prints all"
        )
    return _TABLE[number]


def select(wanted: Sequence[str]) -> tuple[Property, ...]:
    """Return the properties of these numbers and groups; all, where none is given.

    Raises:
        KeyError: one of them is neither, or is withdrawn.
    """
    if not wanted:
        return properties()
    chosen: set[str] = set()
    for name in wanted:
        if name.upper() in GROUPS:
            chosen.update(each.id for each in properties() if each.group == name.upper())
            continue
        found = property_of(name)
        if found.withdrawn:
            raise KeyError(f"{found.id} is withdrawn: {found.withdrawn}")
        chosen.add(found.id)
    return tuple(each for each in properties() if each.id in chosen)


def smoke() -> tuple[Property, ...]:
    """Return the basic properties, those that others need."""
    needed = {number for each in properties() for number in each.needs}
    return tuple(each for each in properties() if each.id in needed)


__all__ = [
    "GROUPS",
    "LEVELS",
    "Level",
    "Property",
    "Scope",
    "properties",
    "property_of",
    "select",
    "smoke",
    "withdrawn",
]
