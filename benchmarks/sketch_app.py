"""The bare sketch: what claims and settles of batches cost without any feature (see ``peer.py``).

A table, one claim and one settle statement. A process claims 256 tasks whenever fewer wait, 8
threads decode and encode JSON around a no-op, and what they have done is settled in batches of up
to 256, fenced by token, with results. No leases, retries, locks, limits, history, groups.
"""

from __future__ import annotations

import json
import signal
import sys
from queue import Empty, SimpleQueue
from threading import Thread
from time import time
from typing import Protocol

from peer import mysql_parameters, url

BATCH, THREADS = 256, 8
Claimed = list[tuple[int, int, bytes]]
"""Number, token and data of tasks."""
Done = list[tuple[int, int, bytes]]
"""Number, token and result."""


class Table(Protocol):
    """One connection to a table of tasks."""

    def fill(self, count: int) -> None:
        """Make the table and put so many tasks."""
        ...

    def claim(self) -> Claimed:
        """Claim a batch."""
        ...

    def settle(self, done: Done) -> None:
        """Settle a batch."""
        ...

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        ...


class Postgres:
    """On PostgreSQL: each step is one statement, which is its own transaction."""

    TABLE = """
        CREATE TABLE sketch (id bigint PRIMARY KEY, state int NOT NULL, priority int NOT NULL,
            due bigint NOT NULL, token bigint NOT NULL, data bytea NOT NULL, result bytea)
            WITH (fillfactor = 50);
        CREATE INDEX ready ON sketch (priority DESC, due, id) WHERE state = 0;
        INSERT INTO sketch SELECT n, 0, 0, n, 0, '{"args": []}' FROM generate_series(1, %d) n"""
    CLAIM = """
        UPDATE sketch SET state = 1, token = token + 1 WHERE id = ANY (ARRAY(
            SELECT id FROM sketch WHERE state = 0 ORDER BY priority DESC, due, id
            LIMIT %s FOR UPDATE SKIP LOCKED)) RETURNING id, token, data"""
    SETTLE = """
        UPDATE sketch t SET state = 2, result = d.result
        FROM unnest(%b::bigint[], %b::bigint[], %b::bytea[]) d (id, token, result)
        WHERE t.id = d.id AND t.token = d.token AND t.state = 1"""

    def __init__(self) -> None:
        import psycopg

        self._connection = psycopg.connect(url(), autocommit=True)

    def fill(self, count: int) -> None:  # noqa: D102 - the protocol says it
        self._connection.execute(self.TABLE % count)
        self._connection.execute("ANALYZE sketch")

    def claim(self) -> Claimed:  # noqa: D102 - the protocol says it
        return self._connection.execute(self.CLAIM, (BATCH,), prepare=True, binary=True).fetchall()

    def settle(self, done: Done) -> None:  # noqa: D102 - the protocol says it
        columns = [list(column) for column in zip(*done, strict=True)]
        self._connection.execute(self.SETTLE, columns, prepare=True)

    def ask(self, query: str) -> list[tuple[object, ...]]:  # noqa: D102 - the protocol says it
        return self._connection.execute(query).fetchall()


class Mariadb:
    """On MariaDB and MySQL: a claim selects, then updates; a settle is an upsert."""

    TABLE = """
        CREATE TABLE sketch (id bigint PRIMARY KEY, state int NOT NULL, priority int NOT NULL,
            due bigint NOT NULL, token bigint NOT NULL, data blob NOT NULL, result blob,
            INDEX ready (state, priority, due, id))"""
    READY = """
        SELECT id, token + 1, data FROM sketch WHERE state = 0 ORDER BY state, priority, due, id
        LIMIT %s FOR UPDATE SKIP LOCKED"""
    CLAIM = "UPDATE sketch SET state = 1, token = token + 1 WHERE id IN %s"
    # Each row is found by its key; a join would go by way of a temporary table.
    SETTLE = """
        INSERT INTO sketch (id, token, result, state, priority, due, data) VALUES %s
        ON DUPLICATE KEY UPDATE
            result = IF(token = VALUES(token) AND state = 1, VALUES(result), result),
            state = IF(token = VALUES(token) AND state = 1, 2, state)"""

    def __init__(self) -> None:
        import pymysql

        self._connection = pymysql.connect(**mysql_parameters(), autocommit=True)
        self._cursor = self._connection.cursor()
        self._cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")

    def fill(self, count: int) -> None:  # noqa: D102 - the protocol says it
        self._cursor.execute(self.TABLE)
        for start in range(0, count, 1_000):
            rows = [(n, 0, 0, n, 0, b'{"args": []}') for n in range(start, start + 1_000)]
            self._cursor.executemany(
                "INSERT INTO sketch (id, state, priority, due, token, data) "
                "VALUES (%s, %s, %s, %s, %s, %s)",
                rows[: count - start],
            )
        self._cursor.execute("ANALYZE TABLE sketch")

    def claim(self) -> Claimed:  # noqa: D102 - the protocol says it
        self._connection.begin()
        self._cursor.execute(self.READY, (BATCH,))
        rows = list(self._cursor.fetchall())
        if rows:
            self._cursor.execute(self.CLAIM, ([row[0] for row in rows],))
        self._connection.commit()
        return rows

    def settle(self, done: Done) -> None:  # noqa: D102 - the protocol says it
        values = [value for row in done for value in row]
        marks = ", ".join(["(%s, %s, %s, 0, 0, 0, '')"] * len(done))
        self._cursor.execute(self.SETTLE % marks, values)

    def ask(self, query: str) -> list[tuple[object, ...]]:  # noqa: D102 - the protocol says it
        self._cursor.execute(query)
        return list(self._cursor.fetchall())


def open_table() -> Table:
    """Return a new connection to the table."""
    return Postgres() if url().startswith("postgres") else Mariadb()


def fill(count: int) -> None:
    """Make the table and put so many tasks."""
    open_table().fill(count)


def work() -> None:
    """Run a worker until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    queue: SimpleQueue[tuple[int, int, bytes]] = SimpleQueue()
    done: SimpleQueue[tuple[int, int, bytes]] = SimpleQueue()
    for _ in range(THREADS):
        Thread(target=_run, args=(queue, done), daemon=True).start()
    Thread(target=_settle, args=(done,), daemon=True).start()
    table, pause = open_table(), SimpleQueue[None]()
    while True:
        claimed = table.claim() if queue.qsize() < BATCH else []
        for task in claimed:
            queue.put(task)
        if not claimed:
            try:
                pause.get(timeout=0.002)
            except Empty:
                continue


def _run(queue: SimpleQueue[tuple[int, int, bytes]], done: SimpleQueue[object]) -> None:
    while True:
        number, token, data = queue.get()
        json.loads(data)
        done.put((number, token, json.dumps(time()).encode()))


def _settle(done: SimpleQueue[tuple[int, int, bytes]]) -> None:
    table = open_table()
    while True:
        batch = [done.get()]
        while len(batch) < BATCH and not done.empty():
            batch.append(done.get())
        table.settle(batch)


def left() -> int:
    """Return how many tasks are not done."""
    [[count]] = open_table().ask("SELECT count(*) FROM sketch WHERE state < 2")
    return int(str(count))


def starts() -> list[float]:
    """Return when the tasks started: their results."""
    rows = open_table().ask("SELECT result FROM sketch")
    return [json.loads(bytes(row[0])) for row in rows]  # type: ignore[call-overload]  # bytes
