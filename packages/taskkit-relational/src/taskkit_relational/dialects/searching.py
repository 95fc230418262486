"""The conditions of a search, with the marks for parameters that a driver wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from taskkit.task import Label
from taskkit_relational.queue.turns import ranges
from taskkit_relational.schema import PARKED
from taskkit_relational.statements import Search

Condition: TypeAlias = tuple[str, list[Any]]
"""SQL and its parameters."""

HasLabel: TypeAlias = Callable[[str, Label], Condition]
"""Says how a database asks whether a row has a label."""


def conditions(search: Search, has_label: HasLabel) -> Condition:
    """Return all conditions of a search, joined, with ``?`` for each parameter."""
    found = [("1 = 1", [])] if search.after is None else [("id > ?", [search.after])]
    if search.group is not None:
        found += _in_group(search.group, subgroups=search.subgroups)
    if search.name is not None:
        found.append(("name = ?", [search.name]))
    if search.numbers is not None:
        found.append(_in_states(search))
    found += [has_label(key, value) for key, value in search.labels.items()]
    text = " AND ".join(f"({condition})" for condition, _ in found)
    return text, [parameter for _, parameters in found for parameter in parameters]


def _in_group(group: str, *, subgroups: bool) -> list[Condition]:
    # An id begins with its group and "_": that part of the index of ids, not all of it.
    if not subgroups:
        return [("grp = ?", [group]), ("id >= ? AND id < ?", [f"{group}_", f"{group}`"])]
    _exact, (low, high) = ranges(group)
    return [
        ("grp = ? OR (grp >= ? AND grp < ?)", [group, low, high]),
        ("id >= ? AND id < ?", [low, f"{group}`"]),
    ]


def _in_states(search: Search) -> Condition:
    assert search.numbers is not None
    # Numbers, not data: as literals they let a partial index apply.
    listed = ", ".join(str(int(number)) for number in sorted(search.numbers))
    parts: list[Condition] = [(f"state IN ({listed})", [])] if listed else []
    if search.waiting:
        parts.append((f"state <= {PARKED} AND due > ?", [search.now]))
    if search.queued:
        parts.append((f"state <= {PARKED} AND due <= ?", [search.now]))
    if not parts:
        return "1 = 0", []
    return (
        " OR ".join(f"({condition})" for condition, _ in parts),
        [parameter for _, parameters in parts for parameter in parameters],
    )
