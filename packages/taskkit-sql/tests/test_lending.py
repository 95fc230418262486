"""Connections at hand: who gets which, and what becomes of those that are of no use."""

from __future__ import annotations

import threading
from time import monotonic, sleep

import pytest
import sqlalchemy as sa
from servercase import connector, one, opened

from taskkit_sql.lending import Lending

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


@pytest.fixture
def lending(made):
    lending = Lending(connector(made, pool_size=2, connect_timeout=20))
    yield lending
    lending.close()


def test_the_one_that_was_used_last_is_lent_first_without_a_round_trip(lending, case):
    first, second = lending.take(), lending.take()
    with case.asking(first.connection) as asked:
        lending.give_back(second)
        lending.give_back(first)
        again = lending.take()
        assert (again.connection, again.direct) == (first.connection, first.direct)
        assert asked() == 0
    lending.give_back(again)


def test_there_are_no_more_than_the_pool_has(made):
    lending = Lending(connector(made, pool_size=1, connect_timeout=0.05))
    loan = lending.take()
    with pytest.raises(sa.exc.TimeoutError):
        lending.take()
    lending.give_back(loan)
    assert (again := lending.take()).connection is loan.connection
    lending.give_back(again)
    lending.close()


def test_who_waits_gets_what_is_given_back(lending):
    loans = [lending.take(), lending.take()]
    taken = []
    waiters = [threading.Thread(target=lambda: taken.append(lending.take())) for _ in loans]
    for waiter in waiters:
        waiter.start()
    deadline = monotonic() + 20
    while lending._waiting < 2:
        assert monotonic() < deadline
        sleep(0.01)
    for loan in loans:
        lending.give_back(loan)
    for waiter in waiters:
        waiter.join(10)
    assert {id(loan.connection) for loan in taken} == {id(loan.connection) for loan in loans}
    for loan in taken:
        lending.give_back(loan)


def test_what_the_server_has_closed_is_replaced_unnoticed(lending, server, case):
    loan = lending.take()
    lending.give_back(loan)
    with opened(server) as other:
        case.end(other, loan.connection)
    fresh = lending.take()
    assert fresh.connection is not loan.connection
    with fresh.connection.cursor() as cursor:
        assert one(cursor, "SELECT 1") == (1,)
    lending.give_back(fresh)


def test_what_was_left_open_is_rolled_back(lending, server, stored):
    loan = lending.take()
    with loan.connection.cursor() as cursor:
        server.begin(cursor)
        server.statements.pause(cursor, "mail", None)
    lending.give_back(loan)
    assert stored() == []
    again = lending.take()
    assert not server.is_in_transaction(again.connection)
    lending.give_back(again)


def test_none_of_the_others_is_trusted_once_one_was_lost(made, case):
    lending = Lending(connector(made, pool_size=3))
    first, second, third = lending.take(), lending.take(), lending.take()
    lending.give_back(second)
    first.invalidate()
    lending.distrust()
    lending.give_back(first)
    lending.give_back(third)  # it was in use meanwhile
    assert not case.is_open(second.connection)
    assert not case.is_open(third.connection)
    fresh = lending.take()
    assert fresh.connection not in (first.connection, second.connection, third.connection)
    lending.give_back(fresh)
    lending.close()


def test_after_the_end_a_connection_is_closed_when_it_is_given_back(lending, case):
    used, idle = lending.take(), lending.take()
    lending.give_back(idle)
    lending.close()
    lending.give_back(used)
    assert not case.is_open(used.connection)
    assert not case.is_open(idle.connection)
