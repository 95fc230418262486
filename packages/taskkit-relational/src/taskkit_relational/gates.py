"""Gates: what has to be decided by one transaction at a time, although it concerns many rows.

How many tasks of a lock key run, how many of a group, how many a queue holds: who decides by such
a number closes a gate first, so that nobody else changes it before the decision is committed. The
gates are few rows that always exist, and names share them by a hash: nothing has to be created or
removed, and two names that meet by chance only wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from zlib import crc32

_WIDTH: Final = 64
"""Gates of each kind; kinds share none, for they are closed for different lengths of time."""

_KINDS: Final = ("run", "lock", "queue")

COUNT: Final = _WIDTH * len(_KINDS)
"""Rows of the table of gates, numbered from 0."""


def run_gate(group: str) -> str:
    """Return the gate before claims of a group that has limits."""
    return f"run:{group}"


def lock_gate(group: str, key: str) -> str:
    """Return the gate before what a lock key lets run."""
    return f"lock:{group}\0{key}"


def queue_gate(group: str) -> str:
    """Return the gate before puts into a group of limited size."""
    return f"queue:{group}"


def gate_number(name: str) -> int:
    """Return which gate a name stands for."""
    kind = name.partition(":")[0]
    return _KINDS.index(kind) * _WIDTH + crc32(name.encode()) % _WIDTH


def gate_numbers(names: Iterable[str]) -> list[int]:
    """Return the distinct gates of names, in the order in which they are to be closed."""
    return sorted({gate_number(name) for name in names})
