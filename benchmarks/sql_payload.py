"""Payload beside the task or apart from it: what a put, a claim and a settlement cost either way.

    python benchmarks/sql_payload.py [--store mariadb] [--tasks 20000] [--rounds 3]

Two layouts of the bare minimum on one server: one table with the data and the result in each row,
and one whose data and results are in a second table under the same key. A program puts tasks by
1,000, claims by 256, data included, and settles with a result of 50 bytes. Told is the rate of the
whole, apart divided by together, for data of several sizes.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

from bench import report
from figures import version
from servers import databases, store_argument

SIZES = (100, 1_500, 6_000)
"""Bytes: a few arguments; what a row still holds; what servers store elsewhere by themselves."""
BULK, BATCH = 1_000, 256
RESULT = b"r" * 50

TABLES = """
CREATE TABLE {name} (id bigint PRIMARY KEY, state int NOT NULL, priority int NOT NULL,
    due bigint NOT NULL, token bigint NOT NULL{inline})
"""
READY = """
SELECT id FROM {name} WHERE state = 0 ORDER BY {order} LIMIT {batch} FOR UPDATE SKIP LOCKED
"""


class Database(Protocol):
    """One connection, and how its server says what differs."""

    blob: str
    index: str
    order: str

    def run(self, text: str, values: Sequence[Any] = ()) -> list[Any]:
        """Execute a statement; return its rows, if it has any."""
        ...


class Postgres:
    """By psycopg."""

    blob, index = "bytea", "CREATE INDEX {name}_ready ON {name} (priority, due, id) WHERE state = 0"
    order = "priority, due, id"

    def __init__(self, url: str) -> None:
        import psycopg

        self._connection = psycopg.connect(url, autocommit=True)

    def run(self, text: str, values: Sequence[Any] = ()) -> list[Any]:  # noqa: D102 - the protocol says it
        cursor = self._connection.execute(text.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


class Mariadb:
    """By PyMySQL."""

    blob, index = "longblob", "CREATE INDEX {name}_ready ON {name} (state, priority, due, id)"
    order = "state, priority, due, id"

    def __init__(self, url: str) -> None:
        import pymysql

        parts = urlsplit(url)
        where = {"host": parts.hostname, "port": parts.port or 3306, "user": parts.username}
        self._mysql = pymysql.connect(
            **where, password=parts.password or "", database=parts.path[1:], autocommit=True
        ).cursor()

    def run(self, text: str, values: Sequence[Any] = ()) -> list[Any]:  # noqa: D102 - the protocol says it
        self._mysql.execute(text, values or None)
        return list(self._mysql.fetchall()) if self._mysql.description else []


def put_many(database: Database, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows by one statement."""
    mark = f"({', '.join(['%s'] * len(rows[0]))})"
    values = [value for row in rows for value in row]
    marks = ", ".join([mark] * len(rows))
    database.run(f"INSERT INTO {table} ({columns}) VALUES {marks}", values)  # noqa: S608 - own names


def rate(database: Database, size: int, count: int, *, apart: bool) -> float:
    """Return tasks a second from the first put to the last settlement."""
    name = f"layout_{'apart' if apart else 'together'}_{size}_{time.monotonic_ns()}"
    payload = f"data {database.blob} NOT NULL, result {database.blob}"
    database.run(TABLES.format(name=name, inline="" if apart else f", {payload}"))
    database.run(database.index.format(name=name))
    holder = name
    if apart:
        holder = f"{name}_payload"
        database.run(f"CREATE TABLE {holder} (id bigint PRIMARY KEY, {payload})")
    data = random.Random(1).randbytes(size)
    began = time.perf_counter()
    for start in range(0, count, BULK):
        ids = range(start, start + BULK)
        database.run("BEGIN")
        rows = [(n, 0, 0, n, 0) for n in ids]
        if apart:
            put_many(database, name, "id, state, priority, due, token", rows)
            put_many(database, holder, "id, data", [(n, data) for n in ids])
        else:
            whole = [(*row, data) for row in rows]
            put_many(database, name, "id, state, priority, due, token, data", whole)
        database.run("COMMIT")
    left = count
    while left > 0:
        left -= _work(database, name, holder, apart=apart)
    took = time.perf_counter() - began
    for table in {name, holder}:
        database.run(f"DROP TABLE {table}")
    return count / took


def _work(database: Database, name: str, holder: str, *, apart: bool) -> int:
    """Claim and settle a batch; return its size."""
    database.run("BEGIN")
    text = READY.format(name=name, order=database.order, batch=BATCH)
    listed = ", ".join(str(row[0]) for row in database.run(text))
    database.run(f"UPDATE {name} SET state = 1, token = token + 1 WHERE id IN ({listed})")  # noqa: S608 - own numbers
    claimed = database.run(f"SELECT id, data FROM {holder} WHERE id IN ({listed})")  # noqa: S608 - own names and numbers
    database.run("COMMIT")
    database.run("BEGIN")
    own = ", result = %s" if not apart else ""
    settle = f"UPDATE {name} SET state = 2{own} WHERE id IN ({listed}) AND state = 1"  # noqa: S608 - own names and numbers
    database.run(settle, () if apart else (RESULT,))
    if apart:
        database.run(f"UPDATE {holder} SET result = %s WHERE id IN ({listed})", (RESULT,))  # noqa: S608 - own names and numbers
    database.run("COMMIT")
    return len(claimed)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    store_argument(parser)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    kinds: dict[str, Any] = {"postgres": Postgres, "mariadb": Mariadb}
    figures: dict[str, float | str] = {}
    with databases(arguments.store) as give, give() as url:
        database = kinds[arguments.store](url)
        for size in SIZES:
            rates: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(arguments.rounds):
                for apart, found in rates.items():
                    found.append(rate(database, size, arguments.tasks, apart=apart))
            together, apart_ = (statistics.median(found) for found in rates.values())
            figures[f"{size} bytes together, tasks/s"] = together
            figures[f"{size} bytes apart, tasks/s"] = apart_
            figures[f"{size} bytes, apart / together"] = apart_ / together
        server = version(url)
    report(f"sql_payload_{arguments.store}", figures, server=server)


if __name__ == "__main__":
    main()
