"""Connections to MySQL and MariaDB: how they are set, how transactions begin, what tables are."""

from __future__ import annotations

import socket
import threading

import pymysql
import pytest
from mycase import KINDS, connector, migrate, one, opened
from sqlalchemy.engine import make_url

from taskkit.clock import SystemClock, monotonic
from taskkit.errors import Unavailable, Unsupported
from taskkit_sql import mysql_connecting as connecting

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


@pytest.fixture(scope="module", params=KINDS)
def house(request):
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture(scope="module")
def url(house):
    with house.database() as made:
        yield made


@pytest.fixture(scope="module")
def server(url):
    return migrate(url)


@pytest.fixture
def cursor(server):
    with opened(server) as cursor:
        yield cursor


def is_mariadb(cursor):
    return "MariaDB" in one(cursor, "SELECT version()")[0]


# ---- connections


def test_statements_see_what_was_committed_before_them(cursor):
    name = "tx_isolation" if is_mariadb(cursor) else "transaction_isolation"
    assert one(cursor, f"SELECT @@{name}") == ("READ-COMMITTED",)


def test_everything_that_can_be_waited_for_is_bounded(url):
    server = connector(url, statement_timeout=70.5, lock_timeout=0.3, connect_timeout=4)
    with opened(server) as cursor:
        assert one(cursor, "SELECT @@innodb_lock_wait_timeout") == (1,)
        if is_mariadb(cursor):
            told = one(cursor, "SELECT @@max_statement_time, @@idle_transaction_timeout")
            assert told == (71, 71)
        else:
            told = one(cursor, "SELECT @@session.max_execution_time, @@session.wait_timeout")
            assert told == (71_000, 142)
        connection = cursor.connection
        assert connection._read_timeout == connection._write_timeout == 75.5
        assert connection.connect_timeout == 4


def test_tcp_asks_whether_the_other_side_is_there(cursor):
    inner = cursor.connection._sock
    assert inner.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert inner.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
    assert inner.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 3


def test_the_driver_never_begins_by_itself(cursor):
    assert cursor.connection.get_autocommit()
    cursor.execute("SELECT 1")
    assert not connecting.is_in_transaction(cursor.connection)


def test_what_does_not_fit_is_an_error(cursor):
    row = ("x" * 600, 1, "g", "n", 0, 1, 1, 1, "")
    with pytest.raises(pymysql.err.DataError):
        cursor.execute(
            "INSERT INTO taskkit_task (id, state, grp, name, priority, due, created, retention, "
            "data) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            row,
        )


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"])
def test_every_way_to_write_the_scheme_means_pymysql(url, scheme):
    with opened(connector(url.replace("mysql", scheme, 1))) as cursor:
        assert type(cursor.connection) is pymysql.connections.Connection


def test_the_pool_is_as_small_as_it_was_told(url):
    engine = connector(url, pool_size=2).engine()
    try:
        assert (engine.pool.size(), engine.pool._max_overflow) == (2, 0)
    finally:
        engine.dispose()


def told_by(url, **query):
    from taskkit_sql.settings import read_settings

    address = make_url(url).update_query_dict(query).render_as_string(hide_password=False)
    return connecting._parameters(read_settings(address, {}))


def test_tls_is_told_in_the_url(url):
    told = told_by(url, ssl_ca="/ca.pem", ssl_cert="/c.pem", ssl_key="/k.pem")
    assert told["ssl"] == {"ca": "/ca.pem", "cert": "/c.pem", "key": "/k.pem"}
    told = told_by(url, ssl_ca="/ca.pem", ssl_check_hostname="false")
    assert told["ssl"] == {"ca": "/ca.pem", "check_hostname": False}
    assert told_by(url, ssl_verify_identity="true")["ssl_verify_identity"] is True
    assert told_by(url, ssl_disabled="false")["ssl_disabled"] is False
    assert told_by(url, read_timeout="7")["read_timeout"] == 7


def test_tls_that_is_asked_for_is_not_done_without(url):
    demanding = connector(f"{url}?ssl_verify_cert=false&ssl_ca=/nowhere/ca.pem")
    with pytest.raises(Exception, match=r"No such file|nowhere"), opened(demanding):
        pass
    # A certificate that nobody has signed is no proof of who the server is.
    proving = connector(f"{url}?ssl_verify_cert=true")
    with pytest.raises(proving.errors) as caught, opened(proving):
        pass
    assert isinstance(proving.translate(caught.value), Unavailable)
    with opened(connector(f"{url}?ssl_disabled=true")) as cursor:
        assert one(cursor, "SHOW STATUS LIKE 'Ssl_cipher'")[1] == ""


def test_a_connection_that_the_server_has_closed_is_replaced_unnoticed(server):
    engine = server.engine()
    try:
        with engine.connect() as connection:
            first = connection.connection.driver_connection
            number = first.thread_id()
        with opened(server) as other:
            other.execute(f"KILL {number}")
        deadline = monotonic() + 30
        while is_there(server, number):
            assert monotonic() < deadline
        with engine.connect() as connection:
            second = connection.connection.driver_connection
            assert second is not first
            with second.cursor() as cursor:
                assert one(cursor, "SELECT 1") == (1,)
    finally:
        engine.dispose()


def is_there(server, number):
    with opened(server) as other:
        return one(other, "SELECT 1 FROM information_schema.processlist WHERE id = %s", number)


def asked(cursor):
    return int(one(cursor, "SHOW SESSION STATUS LIKE 'Questions'")[1])


def test_a_healthy_connection_is_used_again_without_a_round_trip(server):
    engine = server.engine()
    try:
        with engine.connect() as connection:
            first = connection.connection.driver_connection
            with first.cursor() as cursor:
                before = asked(cursor)
            connection.close()
            with engine.connect() as again, first.cursor() as cursor:
                assert again.connection.driver_connection is first
                assert asked(cursor) == before + 1
    finally:
        engine.dispose()


def test_what_was_left_open_is_rolled_back_when_it_is_given_back(server):
    engine = server.engine()
    try:
        with engine.connect() as connection, connection.connection.driver_connection.cursor() as c:
            server.begin(c)
            server.statements.pause(c, "mail", None)
        with opened(server) as other:
            assert server.statements.pauses(other) == []
    finally:
        engine.dispose()


def test_a_server_that_stands_still_is_given_up(house, server):
    if house.pause is None:
        pytest.skip("the server is not ours")
    with opened(server) as cursor:
        cursor.connection._read_timeout = 0.3
        house.pause()
        try:
            with pytest.raises(pymysql.err.OperationalError) as caught:
                cursor.execute("SELECT 1")
        finally:
            house.resume()
    assert server.is_lost(caught.value)


@pytest.mark.parametrize(
    ("told", "is_old"),
    [
        ("5.5.5-10.5.9-MariaDB-1:10.5.9", True), ("10.5.29-MariaDB", True),
        ("5.5.5-10.6.0-MariaDB", False), ("11.8.3-MariaDB-log", False),
        ("5.7.44-log", True), ("8.0.11", False), ("9.7.4-2", False),
        ("8.0.mysql_aurora.3.4", False),
    ],
)  # fmt: skip
def test_servers_without_skip_locked_are_refused(told, is_old):
    if is_old:
        with pytest.raises(Unsupported, match=r"10\.6 or MySQL from 8\.0"):
            connecting._refuse_old(told, "MariaDB" in told)
    else:
        connecting._refuse_old(told, "MariaDB" in told)


# ---- transactions


def test_begin_is_one_round_trip_and_tells_the_time(server, cursor):
    before = asked(cursor)
    begun = server.begin(cursor)
    # As the server counts: both statements, and the look at the count.
    assert asked(cursor) - before <= 3
    assert abs(begun.now - SystemClock().now()) < 60_000_000
    assert connecting.is_in_transaction(cursor.connection)
    server.statements.steer(cursor)
    server.commit(cursor, wakes=True, finished=True)
    assert server.begin(cursor).steered == begun.steered + 1
    cursor.execute("ROLLBACK")


def test_the_time_does_not_depend_on_the_time_zone(server, cursor):
    for zone in ("+00:00", "+05:30", "-11:00"):
        cursor.execute("SET SESSION time_zone = %s", (zone,))
        assert abs(server.statements.now(cursor) - SystemClock().now()) < 60_000_000


def test_a_snapshot_stays_as_it_is_and_writes_nothing(server, cursor):
    server.begin_snapshot(cursor)
    assert server.statements.pauses(cursor) == []
    with opened(server) as other:
        server.statements.pause(other, "mail", None)
        assert server.statements.pauses(cursor) == []
        with pytest.raises(pymysql.err.OperationalError, match="1792"):
            server.statements.pause(cursor, "post", None)
        cursor.execute("COMMIT")
        assert server.statements.pauses(cursor) == [("mail", None)]
        server.statements.resume(other, None)
    server.begin(cursor)
    assert server.statements.pauses(cursor) == []
    server.statements.pause(cursor, "mail", None)
    cursor.execute("ROLLBACK")


# ---- tables


def test_tables_are_those_of_the_prefix(url, server, cursor):
    names = {"task", "slot", "worker", "store", "gate", "token", "schema_version"}
    assert {f"taskkit_{name}" for name in names} <= server.tables(cursor)
    cursor.execute("CREATE TABLE IF NOT EXISTS taskkit0other (n INT)")
    assert all(name.startswith("taskkit_") for name in server.tables(cursor))
    assert connector(url, prefix="else_").tables(cursor) == set()


def test_several_may_make_the_tables_at_once(url):
    errors = []

    def make():
        try:
            migrate(url, prefix="many_")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_steps_that_were_interrupted_can_be_run_again(url):
    server = migrate(url, prefix="again_")
    with opened(server) as cursor:
        cursor.execute("DROP TABLE again_slot, again_store")
        cursor.execute("DELETE FROM again_gate WHERE n > 5")
        cursor.execute("DELETE FROM again_schema_version")
    migrate(url, prefix="again_")
    with opened(server) as cursor:
        assert one(cursor, "SELECT count(*) FROM again_gate") == (192,)
        assert server.begin(cursor).steered == 0
        cursor.execute("ROLLBACK")


def test_only_one_changes_the_tables_and_takes_its_time(url):
    server = connector(url, lock_timeout=0.2, statement_timeout=1)
    with opened(server) as first, opened(server) as second:
        with server.migrating(first):
            assert first.connection._read_timeout is None
            assert one(first, "SELECT sleep(1.5)") == (0,)
            with pytest.raises(Unavailable, match="another process"), server.migrating(second):
                pass
        assert first.connection._read_timeout == 6
        with server.migrating(second):
            pass
        with pytest.raises(pymysql.MySQLError) as caught:
            one(first, "SELECT count(*) FROM information_schema.columns a, "
                "information_schema.columns b, information_schema.columns c")  # fmt: skip
        assert isinstance(server.translate(caught.value), Unavailable)
