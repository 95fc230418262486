"""What statements take and return."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from taskkit.task import Label

Values: TypeAlias = Sequence[Any]
"""One row, or the parameters of one statement, in the order that its documentation names."""

Key: TypeAlias = Any


class Cursor(Protocol):
    """A driver's cursor: all that is needed of PEP 249."""

    @property
    def rowcount(self) -> int: ...
    def execute(self, sql: Any, parameters: Any = ..., /) -> Any: ...
    def executemany(self, sql: Any, parameters: Any, /) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Any: ...
    def close(self) -> object: ...


@dataclass(frozen=True, slots=True)
class Search:
    """What ``find`` looks for: all conditions hold."""

    now: int
    group: str | None = None
    subgroups: bool = False
    """Whether ``group`` stands for its subgroups too."""
    name: str | None = None
    numbers: Collection[int] | None = None
    """States as in ``schema``, without the unclaimed ones; None: every state."""
    waiting: bool = False
    """Beside ``numbers``: unclaimed ones due after ``now`` …"""
    queued: bool = False
    """… and those due by ``now``."""
    labels: Mapping[str, Label] = field(default_factory=dict)
    after: str | None = None
    """Only ids behind this one."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """A row that is not NULL in few places, for statements that are written for just these."""

    shape: tuple[str, ...]
    """Names of columns. ``!`` behind one: it is the database's now. ``+``: the value counts from
    then. ``?``: the value is an instant up to which the column is 0, and 1 from then on."""
    values: Sequence[Any]
    """One for each without ``!``."""


@dataclass(frozen=True, slots=True)
class News:
    """What a put tells other processes, where the database can push."""

    channel: str
    kind: str
    """What it is about, as in the table ``waiting``."""
    text: str
    if_promised: bool
    """Tell only while somebody has promised to wait; else tell in any case."""


@dataclass(frozen=True, slots=True)
class Caught:
    """A claim by one statement."""

    now: int
    token: int
    rows: Sequence[Values]
    """``schema.CLAIMED``, with the attempt that begins, in claim order."""
    opens: int | None
    """When more of the group becomes claimable by itself."""
