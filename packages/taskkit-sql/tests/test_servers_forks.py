"""Forks of a process that has connections to a server."""

from __future__ import annotations

import os
from contextlib import closing

import pytest
from servercase import one
from sqlcase import in_a_fork, new_task

from taskkit_sql import open_backend

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


@pytest.fixture
def shared(made):
    """A backend that has been used."""
    with closing(open_backend(made)) as backend:
        backend.put([new_task()])
        yield backend


def test_no_thread_of_the_child_can_meet_a_connection_of_the_parent(shared):
    """They are out of reach before the first of its threads runs, whoever is first to look."""
    database = shared._store.database

    def in_child():
        return database._connections

    assert database._connections is not None
    assert in_a_fork(in_child) == "None"


def test_parent_and_child_go_on_with_connections_of_their_own(shared):
    mine = session(shared)

    def in_child():
        shared.put([new_task("child")])
        return session(shared) != mine

    assert in_a_fork(in_child) == "True"
    assert session(shared) == mine
    assert shared.put([new_task()])[0].status == "put"


def test_who_waits_first_thing_in_the_child_has_a_watch_of_its_own(shared):
    """Not the parent's, whose thread does not exist there."""
    shared.wait(["mail"], 1)  # the thread lingers
    assert shared._wakeup._thread is not None
    assert in_a_fork(lambda: shared._wakeup._thread) == "None"


_SESSIONS = {"postgres": "SELECT pg_backend_pid()", "mysql": "SELECT connection_id()"}


def session(backend):
    """Return the number of the session whose connection is at hand."""
    database = backend._store.database
    with database.connected() as cursor:
        return one(cursor, _SESSIONS[database.server.name])
