"""A store in MySQL or MariaDB with nothing around it, and rows for it."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager

import pymysql
from sqlalchemy.engine import make_url

from taskkit_conformance.servers import mariadb
from taskkit_conformance.servers.obtaining import variable_of
from taskkit_relational.dialects.mysql.statements import MysqlStatements
from taskkit_relational.migrations import Layout
from taskkit_relational.schema import INSERTED, READY, SAVED

NOW = 1_000

TEXTS = {"name", "worker_id", "unique_slot"}


class Store:
    """Tables, and connections to them."""

    def __init__(self, url, prefix="tk_"):
        self.url = url
        self.say = MysqlStatements(prefix)
        self._prefix = prefix
        self._open = []
        self.first = self.connect()
        layout = Layout("mysql", prefix, url)
        layout.prepare(self.first)
        layout.run(self.first, (), NOW)
        self.first.connection.commit()

    def connect(self, isolation="READ COMMITTED", **options):
        """Return a cursor on a connection of its own, not in autocommit."""
        url = make_url(self.url)
        connection = pymysql.connect(
            host=url.host,
            port=url.port,
            user=url.username,
            password=url.password or "",
            database=url.database,
            **options,
        )
        self._open.append(connection)
        cursor = connection.cursor()
        cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 20")
        return cursor

    def put(self, *ids, **columns):
        rows = [row(task_id, **columns) for task_id in ids]
        assert self.say.insert(self.first, rows) is None
        self.first.connection.commit()

    def run(self, *ids, worker="w", token=7, **columns):
        self.put(*ids, **columns)
        self.say.take(self.first, ids, worker, token, NOW)
        self.first.connection.commit()

    def columns(self, task_id, *names):
        told = ", ".join(
            f"CONVERT({name} USING utf8mb4)" if name in TEXTS else name for name in names
        )
        self.first.execute(f"SELECT {told} FROM {self._prefix}task WHERE id = %s", (task_id,))
        found = self.first.fetchone()
        self.first.connection.commit()
        return found

    def empty(self):
        """Undo what is open, close what was opened, remove what was put."""
        self.first.connection.rollback()
        for connection in self._open[1:]:
            connection.close()
        del self._open[1:]
        self.say.clear(self.first)
        self.first.connection.commit()

    def close(self):
        for connection in self._open:
            connection.close()


def row(task_id, **columns):
    values = dict.fromkeys(INSERTED) | {
        "id": task_id, "state": READY, "grp": task_id.rpartition("_")[0], "name": "send",
        "priority": 0, "due": NOW, "created": NOW, "retention": 50, "lock_limit": 1,
        "data": b"\x00{}",
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


def has_mysql():
    """Return whether there is a MySQL, not only a MariaDB."""
    return bool(os.environ.get(variable_of("mysql")) or mariadb.find_mysql())


KINDS = ("mariadb", "mysql") if has_mysql() else ("mariadb",)


@contextmanager
def opened(request, kind):
    """Give a store on a server of a kind."""
    server = request.getfixturevalue(f"{kind}_server")
    with server.database() as url, closing(Store(url)) as store:
        yield store
