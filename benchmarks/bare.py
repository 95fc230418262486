"""The bare insert: what the driver and the server need to keep a row of the size of a task."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from taskkit.ids import new_id

COLUMNS = "id, grp, name, priority, due, created, data"
ROW = "bench", "noop", 0, 0, 0, b'{"a":[],"k":{}}'
"""Like a no-op task's, but for its id."""

_TABLE = """
CREATE TABLE bare (id {text} PRIMARY KEY, grp {text} NOT NULL, name {text} NOT NULL,
    priority int NOT NULL, due bigint NOT NULL, created bigint NOT NULL, data {bytes} NOT NULL)
"""

Row = tuple[Any, ...]


def rows(count: int) -> list[Row]:
    """Return rows with new ids, which grow as those of tasks do."""
    now = time.time_ns() // 1000
    return [(new_id("bench"), *ROW[:3], now, now, ROW[-1]) for _ in range(count)]


class Bare(Protocol):
    """One connection to a table without further indexes; every insert is a commit."""

    def one(self, row: Row) -> None:
        """Insert a row."""
        ...

    def many(self, batch: Sequence[Row]) -> None:
        """Insert rows by one statement."""
        ...


class Postgres:
    """By psycopg, which prepares what it sees often; many rows as arrays, one a column."""

    ONE = f"INSERT INTO bare ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %b)"  # noqa: S608 - own names and numbers
    MANY = f"""
        INSERT INTO bare ({COLUMNS}) SELECT * FROM unnest(%s::text[], %s::text[], %s::text[],
            %s::int[], %s::bigint[], %s::bigint[], %b::bytea[])"""  # noqa: S608 - own names and numbers

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(_TABLE.format(text="text", bytes="bytea"))

    def one(self, row: Row) -> None:  # noqa: D102 - the protocol says it
        self._connection.execute(self.ONE, row)

    def many(self, batch: Sequence[Row]) -> None:  # noqa: D102 - the protocol says it
        self._connection.execute(self.MANY, [list(column) for column in zip(*batch, strict=True)])


class Mariadb:
    """By PyMySQL; many rows as one list of values."""

    MARKS = "(%s, %s, %s, %s, %s, %s, _binary %s)"
    INSERT = f"INSERT INTO bare ({COLUMNS}) VALUES "  # noqa: S608 - own names and numbers

    def __init__(self, url: str) -> None:
        import pymysql

        parts = urlsplit(url)
        self._connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            database=parts.path[1:],
            autocommit=True,
        )
        self._cursor = self._connection.cursor()
        self._cursor.execute(_TABLE.format(text="varbinary(200)", bytes="blob"))

    def one(self, row: Row) -> None:  # noqa: D102 - the protocol says it
        self._cursor.execute(self.INSERT + self.MARKS, row)

    def many(self, batch: Sequence[Row]) -> None:  # noqa: D102 - the protocol says it
        values = [value for row in batch for value in row]
        self._cursor.execute(self.INSERT + ", ".join([self.MARKS] * len(batch)), values)


class Sqlite:
    """By sqlite3, with the settings of taskkit."""

    INSERT = f"INSERT INTO bare ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - own names and numbers

    def __init__(self, url: str) -> None:
        self._connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(_TABLE.format(text="text", bytes="blob"))

    def one(self, row: Row) -> None:  # noqa: D102 - the protocol says it
        self._connection.execute(self.INSERT, row)

    def many(self, batch: Sequence[Row]) -> None:  # noqa: D102 - the protocol says it
        self._connection.execute("BEGIN")
        self._connection.executemany(self.INSERT, batch)
        self._connection.execute("COMMIT")


BARE: dict[str, type[Bare]] = {"postgres": Postgres, "mariadb": Mariadb, "sqlite": Sqlite}
