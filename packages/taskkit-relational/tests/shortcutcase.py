"""Short ways to say what the tests of single statements say often."""

from __future__ import annotations

from taskkit.task import NewTask
from taskkit_relational.rows import alone_row

NOW = 5_000


def task(task_id="mail_1", **fields):
    return NewTask(**{"id": task_id, "group": "mail", "name": "send", "data": b"\x00'%s"} | fields)


def put(store, task, now=NOW, steered=None, news=None):
    """Put a task alone; unless told otherwise, with the count of changes to limits as it is."""
    steered = store.steered() if steered is None else steered
    put = store.say.shortcuts.insert_alone(store.first, alone_row(task, now), steered, news)
    store.first.connection.commit()
    return put


def enter(store, worker_id, expires):
    store.say.enter(store.first, worker_id, "[]", NOW, expires, 0)
    store.first.connection.commit()
