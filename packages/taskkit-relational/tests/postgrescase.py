"""A store in PostgreSQL with nothing around it, and rows for it."""

from __future__ import annotations

import psycopg

from taskkit_relational.dialects.postgres.statements import PostgresStatements
from taskkit_relational.migrations import Layout
from taskkit_relational.schema import INSERTED, READY, SAVED

NOW = 1_000


class Store:
    """Tables, and connections to them."""

    def __init__(self, url, prefix="tk_", schema=None):
        self.url = url
        self.say = PostgresStatements(prefix, schema)
        self._open = []
        self.first = self.connect()
        if schema:
            self.first.execute(f"CREATE SCHEMA {schema}")
        layout = Layout("postgres", prefix, url, schema)
        layout.prepare(self.first)
        layout.run(self.first, (), NOW)
        self.first.connection.commit()

    def connect(self):
        """Return a cursor on a connection of its own, not in autocommit."""
        connection = psycopg.connect(self.url)
        connection.execute("SET lock_timeout = '20s'")
        connection.commit()
        self._open.append(connection)
        return connection.cursor()

    def put(self, *ids, **columns):
        rows = [row(task_id, **columns) for task_id in ids]
        assert self.say.insert(self.first, rows) is None
        self.first.connection.commit()

    def run(self, *ids, worker="w", token=7, **columns):
        self.put(*ids, **columns)
        self.say.take(self.first, ids, worker, token, NOW)
        self.first.connection.commit()

    def columns(self, task_id, *names):
        found = self.first.execute(
            f"SELECT {', '.join(names)} FROM {self.say.prefix}task WHERE id = %s", (task_id,)
        ).fetchone()
        self.first.connection.commit()
        return found

    def close(self):
        for connection in self._open:
            connection.close()


def row(task_id, **columns):
    values = dict.fromkeys(INSERTED) | {
        "id": task_id, "state": READY, "grp": "mail", "name": "send", "priority": 0, "due": NOW,
        "created": NOW, "retention": 50, "lock_limit": 1, "data": b"\x00{}",
    }  # fmt: skip
    return tuple((values | columns)[name] for name in INSERTED)


def saved(task_id, **columns):
    values = dict.fromkeys(SAVED) | {
        "state": READY, "due": NOW, "attempt": 0, "retry_count": 0, "losses": 0, "cancelling": 0,
    }  # fmt: skip
    return (*((values | columns)[name] for name in SAVED), task_id)


def ids_of(rows):
    return [found[1] for found in rows]


def picked(columns, found):
    return dict(zip(columns, found, strict=True))
