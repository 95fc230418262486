"""Values of more than 64 KiB, which MariaDB cuts short in a table of parameters, arrive whole."""

from __future__ import annotations

import pytest
from storecase import NOW, on_mysql, row, saved

from taskkit.task import NewTask
from taskkit_relational.rows import alone_row
from taskkit_relational.schema import LOST

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_mysql

LENGTHS = {"mail_1": 90_000, "mail_2": 3, "mail_3": 70_000, "mail_4": 16_001, "mail_5": 200_000}


def lengths(store, column):
    store.first.execute(f"SELECT CONVERT(id USING utf8mb4), length({column}) FROM tk_task")
    found = dict(store.first.fetchall())
    store.first.connection.commit()
    return found


def values(kind):
    return {task_id: kind * length for task_id, length in LENGTHS.items()}


def test_progress(store):
    store.run(*LENGTHS, worker="w")
    store.say.report(store.first, "w", values(b"\xff"))
    assert lengths(store, "progress") == LENGTHS


def test_results(store):
    store.run(*LENGTHS, token=7)
    rows = [(task_id, 7, result) for task_id, result in values(b"\xff").items()]
    assert store.say.succeed(store.first, NOW, rows) == len(rows)
    assert lengths(store, "result") == LENGTHS


def test_rows_that_are_written_back(store):
    store.put(*LENGTHS)
    for column, kind in [("failure", "é"), ("history", "x"), ("result", b"\xff")]:
        rows = [
            saved(task_id, state=LOST, **{column: value}) for task_id, value in values(kind).items()
        ]
        store.say.save(store.first, rows)
        size = len(kind if isinstance(kind, bytes) else kind.encode())
        assert lengths(store, column) == {key: size * n for key, n in LENGTHS.items()}


def test_tasks(store):
    store.say.insert(
        store.first, [row(task_id, data=data) for task_id, data in values(b"\xff").items()]
    )
    assert lengths(store, "data") == LENGTHS


@pytest.mark.parametrize("task_id", LENGTHS)
def test_a_task_alone(store, task_id):
    data = values(b"\xff")[task_id]
    task = NewTask(id=task_id, group="mail", name="send", data=data)
    assert store.say.shortcuts.insert_alone(store.first, alone_row(task, NOW), 0, None)
    assert lengths(store, "data") == {task_id: LENGTHS[task_id]}
