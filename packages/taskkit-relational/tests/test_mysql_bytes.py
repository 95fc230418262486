"""Bytes arrive as they are, whether a driver writes them as hexadecimal digits or in quotes.

PyMySQL from 1.2 does the one; mysqlclient, and PyMySQL before, the other: to the server that is
text, which it refuses in a table of parameters if it is none.
"""

from __future__ import annotations

import pytest
from storecase import NOW, on_mysql, row, saved

from taskkit_relational.schema import LOST

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_mysql

VALUES = {
    "mail_1": b"\x80",
    "mail_ä": "ä".encode(),
    "mail_3": b"\xff' \\ \x00\n\x1a\"",
    "mail_4": bytes(range(256)),
    "mail_5": b"",
    "mail_6": b"\x80" * 15_000,
}


@pytest.fixture(autouse=True, params=["hex", "quotes"])
def written(request, house, monkeypatch):
    connection = house.first.connection
    escape, query = connection.escape, connection.query

    def quoted(value, *more):
        if isinstance(value, bytes):
            return escape(value.decode("ascii", "surrogateescape"))
        return escape(value, *more)

    def sent(sql, *more):
        return query(sql.encode("utf-8", "surrogateescape"), *more)

    if request.param == "quotes":
        monkeypatch.setattr(connection, "escape", quoted)
        monkeypatch.setattr(connection, "query", sent)


def found(store, column):
    store.first.execute(f"SELECT CONVERT(id USING utf8mb4), {column} FROM tk_task")
    rows = dict(store.first.fetchall())
    store.first.connection.commit()
    return rows


def test_data(store):
    rows = [row(task_id, data=data) for task_id, data in VALUES.items()]
    store.say.insert(store.first, rows)
    assert found(store, "data") == VALUES


def test_progress(store):
    store.run(*VALUES, worker="w")
    store.say.report(store.first, "w", VALUES)
    assert found(store, "progress") == VALUES


def test_results(store):
    store.run(*VALUES, token=7)
    rows = [(task_id, 7, result) for task_id, result in VALUES.items()]
    assert store.say.succeed(store.first, NOW, rows) == len(rows)
    assert found(store, "result") == VALUES


def test_rows_that_are_written_back(store):
    store.put(*VALUES)
    values = {**VALUES, "mail_5": None}
    store.say.save(
        store.first,
        [saved(task_id, state=LOST, result=value) for task_id, value in values.items()],
    )
    assert found(store, "result") == values


def test_unique_keys(store):
    keys = {task_id: f"ключ {task_id}" for task_id in VALUES}
    store.put(*VALUES)
    store.say.save(store.first, [saved(task_id, unique_slot=key) for task_id, key in keys.items()])
    slots = [("mail", key) for key in keys.values()]
    held = {("mail", key): task_id for task_id, key in keys.items()}
    assert store.say.holders(store.first, slots) == held
