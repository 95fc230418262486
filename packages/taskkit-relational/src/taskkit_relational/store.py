"""What the rules share: the database, what it can say, its limits and pauses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from taskkit.records import Limits
from taskkit_relational.statements import Cursor, Statements

T = TypeVar("T")


@dataclass(slots=True)
class Transaction:
    """What the parts of a transaction share."""

    cursor: Cursor
    now: int
    """The store's now, the same for the whole transaction."""
    steered: int
    """The store's count of changes to pauses and limits."""
    wakes: bool = False
    """Whether something may have become claimable."""
    finished: list[str] = field(default_factory=list)
    """Ids of tasks that have finished or are gone."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a reader gets."""

    cursor: Cursor
    now: Callable[[], int]
    """The store's now."""


class Database(Protocol):
    """Connections and transactions. The errors that leave it are taskkit's."""

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Do work in a transaction: committed when it returns, rolled back when it raises.

        It is done again from the beginning where another transaction was in the way.
        """
        ...

    def join(self, within: object, work: Callable[[Transaction], T]) -> T:
        """Do work in a caller's open transaction, all of it or none, and leave that open.

        Raises:
            Unsupported: ``within`` is no transaction on this database.
        """
        ...

    def read(self, work: Callable[[Look], T]) -> T:
        """Read; each statement sees what was committed before it."""
        ...

    def snapshot(self, work: Callable[[Look], T]) -> T:
        """Read; all statements see the same state."""
        ...


@dataclass(frozen=True, slots=True)
class Controlled:
    """Pauses and limits as of one value of the store's count of changes to them."""

    version: int = -1
    pauses: dict[str, int | None] = field(default_factory=dict)
    limits: dict[str, Limits] = field(default_factory=dict)


@dataclass(slots=True)
class Store:
    """One store, as the rules see it."""

    database: Database
    statements: Statements
    controlled: Controlled = field(default_factory=Controlled)
    """The newest that this process has read; read again only after a change."""
