"""The connections of taskkit's own: whose they are after a fork, and when they are closed."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.db.backends.signals import connection_created

from taskkit_django.backend import pool as pools
from taskkit_django.backend.opening import house_of


@pytest.fixture
def pool(kit):
    return house_of(kit.backend).pool


@pytest.fixture
def inherited(pool):
    """A connection that lies idle in a pool, which is as a child finds it after a fork."""
    with pool.lend() as connection:
        pass
    pool._process = -1
    yield connection
    pool.discard(connection)


def test_a_child_takes_no_connection_of_its_parent(pool, inherited):
    with pool.lend() as connection:
        assert connection is not inherited
    assert inherited.connection is not None


def test_no_thread_of_a_child_finds_a_pool_that_has_not_begun_anew(pool, inherited, monkeypatch):
    seen, begun = [], []

    def making(size):
        # Another thread that came now would see the parent's connections.
        seen.append(pool._process == os.getpid())
        return threading.BoundedSemaphore(size)

    def lend():
        with pool.lend() as connection:
            return connection

    def forked():
        begun.append(other.submit(lend))
        seen.append(pool._process == os.getpid())

    made = SimpleNamespace(BoundedSemaphore=making, Lock=threading.Lock)
    monkeypatch.setattr(pools, "threading", made)
    monkeypatch.setattr(pool, "forked", forked)
    with ThreadPoolExecutor(1) as other:
        assert lend() is not inherited
        (second,) = begun
        assert second.result(60) is not inherited
    assert seen == [False, False]


def test_the_lock_of_a_fork_is_not_inherited(pool, inherited):
    held, pools._forked.lock = pools._forked.lock, threading.Lock()
    pools._forked.lock.acquire()
    child = os.fork()
    if child == 0:
        os._exit(0 if pools._forked.lock.acquire(blocking=False) else 1)
    pools._forked.lock = held
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_connection_that_fails_once_it_is_open_is_closed(pool):
    opened = []

    def broken(connection, **details):
        opened.append(connection.connection)
        raise RuntimeError("in the receiver")

    pool.distrust()
    connection_created.connect(broken)
    try:
        with pytest.raises(RuntimeError), pool.lend():
            pass
    finally:
        connection_created.disconnect(broken)
    (driver,) = opened
    with pytest.raises(Exception, match="closed"):
        driver.execute("SELECT 1")
