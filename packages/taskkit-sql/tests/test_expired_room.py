"""What has expired holds no key and takes no room, however much of it there is."""

from __future__ import annotations

from contextlib import closing

import pytest
import sqlalchemy as sa
from sqlcase import new_task

from taskkit.clock import ManualClock
from taskkit.errors import QueueFull
from taskkit.records import Limits
from taskkit.task import State
from taskkit_sql import open_backend

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

_MANY = 5
"""Tasks that expire, more than a put looks at here."""


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setattr("taskkit_relational.queue.put._SWEEP", 2)


@pytest.fixture
def crowded(somewhere, clock):
    """A store in which the keys k0, k1, … are held by tasks that have expired in this order."""
    with closing(open_backend(somewhere, clock=clock)) as backend:
        backend.migrate()
        backend.expired = [
            new_task(expires=clock.now() + 1 + n, unique_key=f"k{n}") for n in range(_MANY)
        ]
        backend.put(backend.expired)
        clock.advance(1)
        yield backend


@pytest.fixture
def clock():
    return ManualClock(1_700_000_000_000_000)


def within(backend, somewhere, tasks):
    """Put tasks in a transaction of the caller's, and commit it."""
    url = sa.make_url(somewhere)
    drivers = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}
    engine = sa.create_engine(url.set(drivername=drivers.get(url.drivername, url.drivername)))
    try:
        with engine.begin() as connection:
            return backend.put(tasks, within=connection)
    finally:
        engine.dispose()


def test_the_key_of_the_last_that_has_expired_is_free(crowded):
    task, last = new_task(unique_key=f"k{_MANY - 1}"), crowded.expired[-1]
    assert [(one.id, one.status) for one in crowded.put([task])] == [(task.id, "put")]
    records = crowded.get([task.id, last.id])
    assert records[task.id].state is State.QUEUED
    assert records[last.id].state is State.CANCELLED


def test_many_keys_are_free_at_once_and_one_that_is_held_is_not(crowded):
    held = new_task(unique_key="held")
    crowded.put([held])
    tasks = [new_task(unique_key=key) for key in ("k4", "held", "k3", "k4")]
    answers = [(one.id, one.status) for one in crowded.put(tasks)]
    assert answers == [
        (tasks[0].id, "put"),
        (held.id, "duplicate"),
        (tasks[2].id, "put"),
        (tasks[0].id, "duplicate"),
    ]


def test_the_key_is_free_in_a_transaction_of_the_caller(crowded, somewhere):
    task = new_task(unique_key=f"k{_MANY - 1}")
    assert [one.status for one in within(crowded, somewhere, [task])] == ["put"]
    assert crowded.get([task.id])[task.id].state is State.QUEUED


def test_a_task_that_is_put_when_it_has_expired_holds_its_key_for_that_put(crowded, clock):
    first, second = [new_task(expires=clock.now() - 1, unique_key="late") for _ in range(2)]
    answers = [(one.id, one.status) for one in crowded.put([first, second])]
    assert answers == [(first.id, "put"), (first.id, "duplicate")]


def test_there_is_room_for_as_many_as_have_expired_and_no_more(crowded):
    crowded.configure("mail", Limits(max_queue_size=_MANY))
    tasks = [new_task() for _ in range(_MANY)]
    assert {one.status for one in crowded.put(tasks)} == {"put"}
    with pytest.raises(QueueFull):
        crowded.put([new_task()])


def test_there_is_room_in_a_transaction_of_the_caller(crowded, somewhere):
    crowded.configure("mail", Limits(max_queue_size=_MANY))
    tasks = [new_task() for _ in range(_MANY)]
    assert {one.status for one in within(crowded, somewhere, tasks)} == {"put"}
    with pytest.raises(QueueFull):
        within(crowded, somewhere, [new_task()])
