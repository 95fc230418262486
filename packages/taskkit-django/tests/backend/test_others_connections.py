"""Whoever closes a connection of another thread leaves its transaction whole."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import Error, connections, transaction
from kinds import everywhere, on_servers
from works import note

from taskkit_django.backend.foreign import close_foreign
from taskkit_django.backend.opening import house_of


class Refused(Exception):
    pass


@pytest.fixture
def alias(project, place):
    return project(place, CONN_MAX_AGE=None)


@pytest.fixture
def other():
    """A thread that nobody tends, such as one of a program's own pool."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@contextmanager
def in_the_middle(other, alias):
    """Have a thread put a task in a block, wait until the context ends, put one more and fail."""
    inside, go_on, ids = threading.Event(), threading.Event(), []

    def work():
        try:
            with transaction.atomic(using=alias):
                ids.append(note.delay("first half").id)
                inside.set()
                assert go_on.wait(60)
                ids.append(note.delay("second half").id)
                raise Refused
        finally:
            connections[alias].close()

    # That its first use is taskkit's has the store remember its connection.
    other.submit(note.delay, "before").result()
    working = other.submit(work)
    assert inside.wait(60)
    try:
        yield ids
    finally:
        go_on.set()
        with pytest.raises(Refused):
            working.result(60)


@on_servers
def test_the_end_of_the_watch_leaves_other_threads_their_transactions(kit, alias, other):
    with in_the_middle(other, alias) as ids:
        before = set(threading.enumerate())
        with kit.running({"default": 1}, poll=100):
            note.delay("waited for").get(60)
            watchers = set(threading.enumerate()) - before
        for thread in watchers:
            thread.join(60)
            assert not thread.is_alive()
    assert not any(kit.backend.get(ids).values())


@everywhere
def test_a_backend_that_is_closed_leaves_other_threads_their_transactions(kit, alias, other):
    with in_the_middle(other, alias) as ids:
        house_of(kit.backend).close()
    assert not any(kit.backend.get(ids).values())


@everywhere
def test_the_end_of_a_worker_leaves_a_task_its_transaction(kit, alias, other):
    from taskkit_django.tending import Tending

    tending = Tending(kit.backend)
    with in_the_middle(other, alias) as ids:
        # As after a task that ran in this thread before.
        other_connection = next(iter(house_of(kit.backend).callers._left))
        tending._kept.add(other_connection)
        tending.taskkit_worker_stop()
        assert other_connection.connection is not None
    assert not any(kit.backend.get(ids).values())


@everywhere
def test_a_thread_whose_connection_was_closed_opens_another(kit, alias, other):
    connection = other.submit(lambda: (note.delay("one"), connections[alias])[1]).result()
    house_of(kit.backend).close()
    assert connection.connection is None

    def query():
        with transaction.atomic(using=alias), connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")
            found = cursor.fetchone()[0]
        connections[alias].close()
        return found

    assert other.submit(query).result() == 1


class Begins:
    """A driver's connection that is closed just after another thread has begun a block on it."""

    def __init__(self, connection, *, is_told):
        self.connection, self.driver, self.is_told = connection, connection.connection, is_told

    def close(self):
        self.connection.connection = self.driver
        transaction.atomic(using=self.connection.alias).__enter__()
        if not self.is_told:
            # The thread is in between: the driver has begun, and Django has not noted it yet.
            self.connection.in_atomic_block, self.connection.autocommit = False, True
        self.driver.close()


@everywhere
@pytest.mark.parametrize("is_told", [True, False])
def test_a_block_that_begins_while_its_connection_is_closed_fails(kit, alias, is_told):
    connection = connections[alias]
    connection.ensure_connection()
    connection.connection = Begins(connection, is_told=is_told)
    close_foreign(connection)
    connection.in_atomic_block, connection.autocommit = True, False
    with pytest.raises(Error):
        connection.cursor().execute("SELECT 1")
    connection.in_atomic_block, connection.connection = False, None
