"""How many connections there are, counted where nobody can be wrong: on the server."""

import threading
import time

import pytest
import works
from django.core.signals import request_finished, request_started
from django.db import connections, transaction
from kinds import on_servers

from taskkit.errors import Unavailable

SLOTS = 50

COUNT = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database()",
}

KILL = {
    "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend(%s)"),
    "mysql": ("SELECT connection_id()", "KILL %s"),
}

OTHERS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = database()"
    " AND id <> connection_id()",
}


@pytest.fixture
def count(project, place):
    """Return how many connections the server has, but for the one that asks."""
    asking = project(place, migrate=False, chosen=False)

    def counted():
        connection = connections[asking]
        with connection.cursor() as cursor:
            cursor.execute(COUNT[connection.vendor])
            return cursor.fetchone()[0] - 1

    return counted


def becomes(count, expected, seconds=20):
    """Wait until the server has noticed what was closed."""
    deadline = time.monotonic() + seconds
    while (found := count()) not in expected and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@on_servers
@pytest.mark.parametrize("max_age", [0, None])
def test_fifty_threads_leak_no_connection(count, project, place, max_age):
    alias = project(place, CONN_MAX_AGE=max_age)
    from taskkit_django.kit import kit as project_kit

    kit = project_kit()
    before = count()
    works.room = threading.Barrier(SLOTS)
    with kit.running({"default": SLOTS}):
        # All slots hold a connection at the same moment, twice.
        for _ in range(2):
            results = works.queries_together.delay_many([(alias,)] * SLOTS)
            for result in results:
                result.get(60)
        # While it works: a connection for each slot at most, a few of the worker's, ours.
        kept = SLOTS if max_age is None else 0
        assert becomes(count, range(before, before + kept + 8)) < before + kept + 8
    connections[alias].close()
    # Afterwards none, although threads have died with connections of theirs open.
    assert becomes(count, [before]) == before


@on_servers
def test_async_tasks_leak_no_connection(count, alias, kit):
    before = count()
    with kit.running({"default": "async:20"}):
        for result in works.queries_async.delay_many([(alias,)] * 40):
            assert result.get(60) == 1
    connections[alias].close()
    assert becomes(count, [before]) == before


@on_servers
def test_a_thread_that_nobody_tends_leaves_none(count, alias, kit):
    before = count()
    threads = [threading.Thread(target=works.note.delay, args=["x"]) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert becomes(count, [before]) == before
    assert kit.stats().count() == 20
    connections[alias].close()


@on_servers
def test_a_request_keeps_its_connection_until_its_end(count, alias, kit):
    found = []

    def serve():
        request_started.send(None)
        works.note.delay("one")
        before = connections[alias].connection
        works.note.delay("two")
        found.append(connections[alias].connection is before is not None)
        request_finished.send(None)
        found.append(connections[alias].connection is None)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
    assert found == [True, True]


@pytest.fixture
def kill(project, place):
    """Return what ends a thread's connection to a server, as a restart or a fail-over would."""
    killer = project(place, migrate=False, chosen=False)

    def killed(alias):
        connection = connections[alias]
        which, end = KILL[connection.vendor]
        with connection.cursor() as cursor:
            cursor.execute(which)
            number = cursor.fetchone()[0]
        with connections[killer].cursor() as cursor:
            cursor.execute(end, [number])

    return killed


@on_servers
def test_a_connection_that_has_died_is_replaced(kill, alias, kit):
    works.note.delay("one")
    kill(alias)
    works.note.delay("two")
    kill(alias)
    assert kit.stats().count() == 2


@on_servers
@pytest.mark.parametrize(
    ("slots", "task"), [(3, works.queries), ("async:3", works.queries_async)], ids=["sync", "async"]
)
def test_no_task_finds_a_connection_that_died_with_the_server(project, place, slots, task):
    killer = project(place, migrate=False, chosen=False)
    alias = project(place, CONN_MAX_AGE=None)
    from taskkit_django.kit import kit as project_kit

    with project_kit().running({"default": slots}):
        for _ in range(2):
            for result in task.delay_many([(alias,)] * 9):
                assert result.get(60) == 1
            with connections[killer].cursor() as cursor:
                cursor.execute(OTHERS[connections[killer].vendor])
                for (number,) in cursor.fetchall():
                    cursor.execute(KILL[connections[killer].vendor][1], [number])
        assert task.delay(alias).get(60) == 1
    connections[alias].close()


def test_a_connection_to_a_file_that_was_closed_is_replaced(alias, kit):
    works.note.delay("one")
    connections[alias].connection.close()
    works.note.delay("two")
    assert kit.stats().count() == 2


@on_servers
def test_a_connection_that_dies_in_a_transaction_breaks_it(kill, alias, kit):
    with pytest.raises(Unavailable), transaction.atomic(using=alias):
        works.note.delay("one")
        kill(alias)
        works.note.delay("two")
    assert kit.stats().count() == 0


PREPARED = (
    "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO taskkit_%'"
)


def prepared(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute(PREPARED)
        return cursor.fetchone()[0]


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_what_puts_is_prepared_and_django_is_left_as_it_is(alias, kit):
    for _ in range(10):
        works.note.delay("x")
    assert prepared(alias) == 1
    assert connections[alias].connection.prepare_threshold is None
    with connections[alias].cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")  # as poolers do between two clients
    works.note.delay("x")
    assert kit.stats().count() == 11


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_behind_a_pooler_nothing_is_prepared(project, place):
    alias = project(place, DISABLE_SERVER_SIDE_CURSORS=True)
    for _ in range(10):
        works.note.delay("x")
    assert prepared(alias) == 0


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_with_a_pool_of_the_driver(count, project, place):
    alias = project(place, OPTIONS={"pool": {"min_size": 1, "max_size": 2, "timeout": 5}})
    from taskkit_django.kit import kit as project_kit

    kit = project_kit()
    # The worker's own connections take none of the two that tasks share.
    with kit.running({"default": 2}):
        results = works.queries.delay_many([(alias,)] * 50)
        assert [result.get(60) for result in results] == [1] * 50
        with transaction.atomic(using=alias):
            result = works.note.delay("in a transaction")
        assert result.get(30) == "in a transaction"
    connections[alias].close()
    connections[alias].close_pool()


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_without_push(project, place, settings):
    alias = project(place)
    settings.TASKKIT = {"DATABASE": alias, "NOTIFY": False}
    from taskkit_django.kit import kit as project_kit

    kit = project_kit()
    assert kit.backend.capabilities().wakeup == "poll"
    with kit.running({"default": 2}, poll=100):
        works.note.delay("first").get(30)
        with transaction.atomic(using=alias):
            result = works.note.delay("second")
        assert result.get(30) == "second"
