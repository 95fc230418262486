"""What a database must be able to say: each method is one transition, or one look.

The rules of taskkit (``queue/``, ``workers`` …) are written once, in Python, over these methods;
a database supplies the methods, in its own SQL, under ``dialects/``. Nothing here knows how a
connection is made: a cursor of PEP 249 is all that a statement gets.

What the rules rely on:

- All methods that one rule calls run in one transaction at READ COMMITTED or above: what another
  transaction has committed is seen by the next statement.
- A row that is to be changed is *locked* from the moment it is read (``FOR UPDATE``). A method
  whose text says *skips locked* passes over rows that another transaction has locked, instead of
  waiting; no other method does.
- Locks are taken in this order: a worker, tasks by id, gates. Claims wait for a worker only: for
  the rest they skip what is locked, so that no claim takes part in a deadlock.
- Where a database lets one writer in at a time (SQLite), all of this holds by itself, and the
  locking methods do nothing.

A *key* names a task's row to its database: whatever identifies it fastest.
"""

from __future__ import annotations

from typing import Protocol

from taskkit_relational.statements.around import (
    Housekeeping,
    Leasing,
    Looking,
    Scheduling,
    Steering,
)
from taskkit_relational.statements.queue import Claiming, Putting, Settling
from taskkit_relational.statements.shortcuts import Shortcuts
from taskkit_relational.statements.values import Caught, Cursor, Key, News, Search, Shaped, Values


class Statements(
    Putting,
    Claiming,
    Settling,
    Leasing,
    Scheduling,
    Steering,
    Looking,
    Housekeeping,
    Protocol,
):
    """All that the rules ask of a database."""


class RemoteStatements(Statements, Protocol):
    """Where each statement is a round trip."""

    @property
    def shortcuts(self) -> Shortcuts:
        """What pays there."""
        ...


__all__ = [
    "Caught",
    "Cursor",
    "Key",
    "News",
    "RemoteStatements",
    "Search",
    "Shaped",
    "Shortcuts",
    "Statements",
    "Values",
]
