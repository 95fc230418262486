"""Connections to a server: how they are kept, how transactions begin and end."""

from __future__ import annotations

import pytest
from servercase import connector, one, opened, pooled

from taskkit.clock import SystemClock

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


# ---- connections


def test_the_driver_never_begins_by_itself(case, cursor):
    assert case.is_in_autocommit(cursor.connection)
    cursor.execute("SELECT 1")
    assert not case.is_in_transaction(cursor.connection)


def test_the_pool_is_as_small_as_it_was_told(made):
    with pooled(connector(made, pool_size=2)) as engine:
        assert (engine.pool.size(), engine.pool._max_overflow) == (2, 0)


def test_a_connection_that_the_server_has_closed_is_replaced_unnoticed(server, case):
    with pooled(server) as engine:
        with engine.connect() as connection:
            first = connection.connection.driver_connection
        with opened(server) as other:
            case.end(other, first)
        with engine.connect() as connection:
            second = connection.connection.driver_connection
            assert second is not first
            with second.cursor() as cursor:
                assert one(cursor, "SELECT 1") == (1,)


def test_a_healthy_connection_is_used_again_without_a_round_trip(server, case):
    with pooled(server) as engine, engine.connect() as connection:
        first = connection.connection.driver_connection
        with case.asking(first) as asked:
            connection.close()
            with engine.connect() as again:
                assert again.connection.driver_connection is first
                assert asked() == 0


def test_what_was_left_open_is_rolled_back_when_it_is_given_back(server):
    with pooled(server) as engine:
        with engine.connect() as connection, connection.connection.driver_connection.cursor() as c:
            server.begin(c)
            server.statements.pause(c, "mail", None)
        with opened(server) as other:
            assert server.statements.pauses(other) == []


def test_a_server_that_stands_still_is_given_up(house, server, case):
    if house.pause is None:
        pytest.skip("the server is not ours")
    with opened(server) as cursor:
        case.wait_at_most(cursor.connection, 0.3)
        house.pause()
        try:
            with case.unanswered() as caught:
                cursor.execute("SELECT 1")
        finally:
            house.resume()
        assert not case.is_open(cursor.connection)
    assert server.is_lost(caught.value)


# ---- transactions


def test_begin_tells_the_servers_time_and_the_count(server, case, cursor):
    with case.asking(cursor.connection) as asked:
        begun = server.begin(cursor)
        assert asked() <= 2  # as MySQL counts: both statements that it gets at once
    assert abs(begun.now - SystemClock().now()) < 60_000_000
    assert begun.steered == server.statements.steered(cursor)
    assert case.is_in_transaction(cursor.connection)
    server.statements.steer(cursor)
    server.commit(cursor, wakes=True, finished=True)
    assert server.begin(cursor).steered == begun.steered + 1
    server.commit(cursor, wakes=False, finished=False)
    assert not case.is_in_transaction(cursor.connection)


def test_a_snapshot_stays_as_it_is_and_writes_nothing(server, case, cursor):
    server.begin_snapshot(cursor)
    assert server.statements.pauses(cursor) == []
    with opened(server) as other:
        server.statements.pause(other, "mail", None)
        assert server.statements.pauses(cursor) == []
        with case.only_reading():
            server.statements.pause(cursor, "post", None)
        cursor.execute("ROLLBACK")
        assert server.statements.pauses(cursor) == [("mail", None)]
        server.statements.resume(other, None)
    server.begin(cursor)
    assert server.statements.pauses(cursor) == []
    server.statements.pause(cursor, "mail", None)
    cursor.execute("ROLLBACK")
    assert server.statements.pauses(cursor) == []
