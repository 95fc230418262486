"""What is particular to connections to MySQL and MariaDB: how they are set, what tables are."""

from __future__ import annotations

import socket
import threading

import pymysql
import pytest
from servercase import connector, migrate, on_mysql, one, opened
from sqlalchemy.engine import make_url

from taskkit.clock import SystemClock
from taskkit.errors import Unavailable
from taskkit_sql import mysql_connecting as connecting
from taskkit_sql.settings import read_settings

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_mysql


def is_mariadb(cursor):
    return "MariaDB" in one(cursor, "SELECT version()")[0]


# ---- connections


def test_statements_see_what_was_committed_before_them(cursor):
    name = "tx_isolation" if is_mariadb(cursor) else "transaction_isolation"
    assert one(cursor, f"SELECT @@{name}") == ("READ-COMMITTED",)


def test_everything_that_can_be_waited_for_is_bounded(made):
    server = connector(made, statement_timeout=70.5, lock_timeout=0.3, connect_timeout=4)
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


def test_what_does_not_fit_is_an_error(cursor):
    row = ("x" * 600, 1, "g", "n", 0, 1, 1, 1, "")
    with pytest.raises(pymysql.err.DataError):
        cursor.execute(
            "INSERT INTO taskkit_task (id, state, grp, name, priority, due, created, retention, "
            "data) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            row,
        )


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+pymysql", "mariadb+pymysql"])
def test_every_way_to_write_the_scheme_means_pymysql(made, scheme):
    with opened(connector(made.replace("mysql", scheme, 1))) as cursor:
        assert type(cursor.connection) is pymysql.connections.Connection


def told_by(url, **query):
    address = make_url(url).update_query_dict(query).render_as_string(hide_password=False)
    return connecting._parameters(read_settings(address, {}))


def test_tls_is_told_in_the_url(made):
    told = told_by(made, ssl_ca="/ca.pem", ssl_cert="/c.pem", ssl_key="/k.pem")
    assert told["ssl"] == {"ca": "/ca.pem", "cert": "/c.pem", "key": "/k.pem"}
    told = told_by(made, ssl_ca="/ca.pem", ssl_check_hostname="false")
    assert told["ssl"] == {"ca": "/ca.pem", "check_hostname": False}
    assert told_by(made, ssl_verify_identity="true")["ssl_verify_identity"] is True
    assert told_by(made, ssl_disabled="false")["ssl_disabled"] is False
    assert told_by(made, read_timeout="7")["read_timeout"] == 7


def test_tls_that_is_asked_for_is_not_done_without(made):
    demanding = connector(f"{made}?ssl_verify_cert=false&ssl_ca=/nowhere/ca.pem")
    with pytest.raises(Exception, match=r"No such file|nowhere"), opened(demanding):
        pass
    # A certificate that nobody has signed is no proof of who the server is.
    proving = connector(f"{made}?ssl_verify_cert=true")
    with pytest.raises(proving.errors) as caught, opened(proving):
        pass
    assert isinstance(proving.translate(caught.value), Unavailable)
    with opened(connector(f"{made}?ssl_disabled=true")) as cursor:
        assert one(cursor, "SHOW STATUS LIKE 'Ssl_cipher'")[1] == ""


# ---- transactions


def test_the_time_does_not_depend_on_the_time_zone(server, cursor):
    for zone in ("+00:00", "+05:30", "-11:00"):
        cursor.execute("SET SESSION time_zone = %s", (zone,))
        assert abs(server.statements.now(cursor) - SystemClock().now()) < 60_000_000


# ---- tables


def test_tables_are_those_of_the_prefix(made, server, cursor):
    names = {"task", "slot", "worker", "store", "gate", "token", "schema_version"}
    assert {f"taskkit_{name}" for name in names} <= server.tables(cursor)
    cursor.execute("CREATE TABLE IF NOT EXISTS taskkit0other (n INT)")
    assert all(name.startswith("taskkit_") for name in server.tables(cursor))
    assert connector(made, prefix="else_").tables(cursor) == set()


def test_several_may_make_the_tables_at_once(made):
    errors = []

    def make():
        try:
            migrate(made, prefix="many_")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_steps_that_were_interrupted_can_be_run_again(made):
    server = migrate(made, prefix="again_")
    with opened(server) as cursor:
        cursor.execute("DROP TABLE again_slot, again_store")
        cursor.execute("DELETE FROM again_gate WHERE n > 5")
        cursor.execute("DELETE FROM again_schema_version")
    migrate(made, prefix="again_")
    with opened(server) as cursor:
        assert one(cursor, "SELECT count(*) FROM again_gate") == (192,)
        assert server.begin(cursor).steered == 0
        cursor.execute("ROLLBACK")


def test_only_one_changes_the_tables_and_takes_its_time(made):
    server = connector(made, lock_timeout=0.2, statement_timeout=1)
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
