"""A store with nothing around it on each kind of server, and rows for it."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager

import mysqlcase
import postgrescase
import pytest

from taskkit_conformance.servers import mariadb
from taskkit_conformance.servers.obtaining import variable_of
from taskkit_relational.migrations import Layout
from taskkit_relational.schema import INSERTED, READY, SAVED

NOW = 1_000

# What each of them says and does in its own way.
_CASES = {"postgres": postgrescase, "mariadb": mysqlcase, "mysql": mysqlcase}


def has_mysql():
    """Return whether there is a MySQL, not only a MariaDB."""
    return bool(os.environ.get(variable_of("mysql")) or mariadb.find_mysql())


MYSQL_KINDS = ("mariadb", "mysql") if has_mysql() else ("mariadb",)
KINDS = ("postgres", *MYSQL_KINDS)

on_postgres = pytest.mark.parametrize("house", ["postgres"], indirect=True)
on_mysql = pytest.mark.parametrize("house", MYSQL_KINDS, indirect=True)


class Store:
    """Tables, and connections to them."""

    def __init__(self, kind, url, prefix="tk_", **schema):
        self.kind = kind
        self.url = url
        self.case = _CASES[kind]
        self.say = self.case.Statements(prefix, **schema)
        self._open = []
        self.first = self.connect()
        layout = Layout(self.case.DIALECT, prefix, url, **schema)
        layout.prepare(self.first)
        layout.run(self.first, (), NOW)
        self.first.connection.commit()

    def connect(self, *isolation, **options):
        """Return a cursor on a connection of its own, not in autocommit."""
        cursor = self.case.connect(self.url, *isolation, **options)
        self._open.append(cursor.connection)
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
        told = ", ".join(map(self.case.selected, names))
        self.first.execute(f"SELECT {told} FROM {self.say.prefix}task WHERE id = %s", (task_id,))
        found = self.first.fetchone()
        self.first.connection.commit()
        return found

    def steered(self):
        """Return the count of changes to pauses and limits, which is never set back."""
        count = self.say.steered(self.first)
        self.first.connection.commit()
        return count

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


@contextmanager
def opened(request, kind):
    """Give a store on a server of a kind."""
    server = request.getfixturevalue(f"{kind}_server")
    with server.database() as url, closing(Store(kind, url)) as store:
        yield store


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
