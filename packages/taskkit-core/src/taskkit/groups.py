"""Groups and subgroups: the one place that knows what a dot in a group's name means."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from taskkit.records import ALL_GROUPS


def covers(group: str, other: str) -> bool:
    """Return whether ``group`` stands for ``other``: itself, a subgroup of it, or ``"*"``."""
    return group in (ALL_GROUPS, other) or other.startswith(group + ".")


def covered(group: str, by: Collection[str]) -> bool:
    """Return whether one of ``by`` stands for ``group``. O(depth of the name), not of ``by``."""
    return bool(by) and (ALL_GROUPS in by or any(name in by for name in lineage(group)))


def lineage(group: str) -> Iterator[str]:
    """Yield a group and the groups above it: ``a.b.c``, ``a.b``, ``a``."""
    while group:
        yield group
        group = group.rpartition(".")[0]


def owner(group: str, wants: Collection[str]) -> str | None:
    """Return the want that a concrete group belongs to: the most specific one, or None."""
    return next((name for name in lineage(group) if name in wants), None)
