"""What the rules share: the database, what it can say, its limits and pauses."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from taskkit.records import Limits
from taskkit_relational.statements import Cursor, News, Shortcuts, Statements

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


@dataclass(frozen=True, slots=True)
class Alone:
    """What a statement gets that is a transaction by itself."""

    cursor: Cursor
    now: int | None
    """The store's now; None: the database's own."""
    news: News | None
    """What to tell other processes; None: nothing, or they cannot be told."""


class Committed(Protocol):
    """Told of each commit of this process."""

    def __call__(self, *, wakes: bool, finished: Collection[str]) -> None:
        """Take note.

        Args:
            wakes: Whether something may have become claimable.
            finished: Ids of tasks that have finished or are gone.
        """
        ...


def nobody(*, wakes: bool, finished: Collection[str]) -> None:
    """Tell nobody of a commit."""


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

    def alone(
        self,
        work: Callable[[Alone], T | None],
        *,
        wakes: bool = False,
        finished: Collection[str] = (),
    ) -> T | None:
        """Say statements of which each is a transaction by itself, or part of an open one.

        Whoever waits in this process is told when that is committed, unless ``work`` returns None.

        Args:
            work: Says them.
            wakes: Whether they make something claimable.
            finished: Ids of the tasks that they finish. Not together with ``wakes``.

        Returns:
            What ``work`` does; None, and it was not called, where that is no good.
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
    shortcuts: Shortcuts | None = None
    """What can be said in one statement, where that is faster."""
    controlled: Controlled = field(default_factory=Controlled)
    """The newest that this process has read; read again only after a change."""
