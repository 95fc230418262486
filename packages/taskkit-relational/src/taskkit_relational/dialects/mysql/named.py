"""Statements with the names of a store's tables, and the ways to execute them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from taskkit_relational.statements import Cursor

_LISTED: Final = 500
"""Values in one list. From 1,000 on MariaDB makes a table of them and forgets the index."""

DUPLICATE: Final = 1062
"""The error's number where a unique key is taken."""

_TABLE: Final = re.compile(r"(?<!@)@(?=[a-z])")
"""What stands for the prefix; not the sign of the server's variables."""

_BYTES: Final = {"id", "grp", "slot", "progress", "result"}
"""Columns of bytes. Some drivers write these in quotes, and a server that then takes them for text
refuses in a table what is none."""

T = TypeVar("T")


class Named:
    """The statements of one store.

    Args:
        prefix: Before the names of all tables.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        # Beside the texts there is one for each length of a list.
        self.text = lru_cache(512)(self._text)

    def _text(self, text: str, listed: int = 0) -> str:
        named = " ".join(_TABLE.sub(self._prefix, text).split())
        return named.replace("#ids", marks(listed))

    def rows(self, cursor: Cursor, text: str, *values: Any) -> list[Any]:
        """Return all rows."""
        cursor.execute(self.text(text), values)
        return list(cursor.fetchall())

    def one(self, cursor: Cursor, text: str, *values: Any) -> Any:
        """Return the first column of the first row; None where there is none."""
        cursor.execute(self.text(text), values)
        row = cursor.fetchone()
        return None if row is None else row[0]

    def change(self, cursor: Cursor, text: str, *values: Any) -> int:
        """Return how many rows were changed."""
        cursor.execute(self.text(text), values)
        return cursor.rowcount

    def listed_rows(
        self,
        cursor: Cursor,
        text: str,
        ids: Sequence[Any],
        *after: Any,
        before: Sequence[Any] = (),
    ) -> list[Any]:
        """Return all rows for ``#ids``, however many there are."""
        found: list[Any] = []
        for some in parts(sorted(ids), _LISTED):
            cursor.execute(self.text(text, len(some)), (*before, *some, *after))
            found += cursor.fetchall()
        return found

    def listed_change(self, cursor: Cursor, text: str, ids: Sequence[Any], *before: Any) -> int:
        """Return how many rows were changed for ``#ids``, however many there are."""
        changed = 0
        for some in parts(sorted(ids), _LISTED):
            cursor.execute(self.text(text, len(some)), (*before, *some))
            changed += cursor.rowcount
        return changed


def marks(count: int) -> str:
    """Return parameters for a list."""
    return ", ".join(["%s"] * count)


def table(columns: Sequence[str], rows: int) -> str:
    """Return a table of parameters, in the one way that both servers know."""
    values = ["CAST(%s AS BINARY)" if column in _BYTES else "%s" for column in columns]
    first = ", ".join(f"{value} AS {column}" for value, column in zip(values, columns, strict=True))
    return f"SELECT {first}" + f" UNION ALL SELECT {', '.join(values)}" * (rows - 1)


def parts(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Yield what fits into one statement each."""
    for start in range(0, len(items), most):
        yield items[start : start + most]


def number_of(error: BaseException) -> int | None:
    """Return the number of a driver's error; all drivers have it first."""
    arguments = getattr(error, "args", ())
    number = arguments[0] if arguments else None
    return number if isinstance(number, int) else None
