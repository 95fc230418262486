"""What the errors of servers mean: conflicts, lost connections, and what a user reads."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa
from errorcase import PASSWORD, failing, refused
from servercase import CASES, KINDS, connector, opened, plain, pooled
from sqlalchemy.engine import make_url

from taskkit.errors import SchemaMismatch, Unavailable

pytest_plugins = ["taskkit_conformance.servers.fixtures"]


@pytest.fixture
def raw(made, case):
    """Cursors on two connections of the driver, not in autocommit, and a table of their own."""
    connections = [plain(made) for _ in range(2)]
    cursors = [connection.cursor() for connection in connections]
    cursors[0].execute("DROP TABLE IF EXISTS t")
    cursors[0].execute("CREATE TABLE t (n INT PRIMARY KEY, m INT)")
    cursors[0].execute("INSERT INTO t VALUES (1, 0), (2, 0)")
    connections[0].commit()
    yield cursors
    for connection in connections:
        if case.is_open(connection):
            connection.close()


# ---- kinds


def each(codes_of):
    """Run a test with each code of each kind of server."""
    codes = [(kind, code) for kind in KINDS for code in codes_of(CASES[kind])]
    return pytest.mark.parametrize(("house", "code"), codes, indirect=["house"])


@each(lambda case: case.CONFLICTS)
def test_whoever_was_in_the_way_is_a_conflict(server, case, code):
    error = case.coded(code)
    assert server.is_conflict(error)
    assert not server.is_lost(error)
    assert isinstance(server.translate(error), Unavailable)


@each(lambda case: case.ENDS)
def test_what_ends_a_connection(server, case, code):
    error = case.coded(code)
    assert server.is_lost(error)
    assert not server.is_conflict(error)
    assert isinstance(server.translate(error), Unavailable)
    wrapped = sa.exc.OperationalError("SELECT 1", {}, error)
    assert server.is_lost(wrapped)
    assert "as the server said it" in str(server.translate(wrapped))


# ---- as servers raise them


def test_a_deadlock(server, case, raw):
    raw[0].execute("UPDATE t SET m = 1 WHERE n = 1")
    raw[1].execute("UPDATE t SET m = 1 WHERE n = 2")
    errors = []

    def cross(cursor, n):
        try:
            cursor.execute("UPDATE t SET m = 2 WHERE n = %s", (n,))
        except server.errors as error:
            errors.append(error)
        cursor.connection.rollback()

    threads = [
        threading.Thread(target=cross, args=(cursor, n))
        for cursor, n in zip(raw, (2, 1), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [error] = errors
    assert case.is_deadlock(error)
    assert server.is_conflict(error)


def test_a_lock_that_is_not_to_be_had(server, case, raw):
    first, second = raw
    case.wait_briefly(second)
    first.execute("UPDATE t SET m = 1 WHERE n = 1")
    with case.locked() as caught:
        second.execute("UPDATE t SET m = 1 WHERE n = 1")
    assert server.is_conflict(caught.value)
    assert "in the way" in str(server.translate(caught.value))


def test_a_key_that_is_taken(server, raw):
    assert server.is_conflict(failing(raw[0].execute, "INSERT INTO t VALUES (1, 1)"))


def test_a_transaction_that_only_reads(server, case, raw):
    cursor, _ = raw
    cursor.connection.rollback()
    cursor.execute(case.ONLY_READING)
    error = failing(cursor.execute, "INSERT INTO t VALUES (3, 1)")
    assert server.is_lost(error)
    assert "read-only" in str(server.translate(error))


def test_a_connection_that_was_ended_and_is_used_again(server, case, raw):
    victim, other = raw
    case.end(other, victim.connection)
    for _ in range(2):  # the driver has closed it when it is used again
        error = failing(victim.execute, "SELECT 1")
        assert server.is_lost(error)
        assert isinstance(server.translate(error), Unavailable)


def test_what_sqlalchemy_has_wrapped_is_recognised_and_shows_no_data(server):
    with pooled(server) as engine, engine.connect() as connection:
        statement = sa.text("SELECT :secret FROM nowhere")
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(statement, {"secret": PASSWORD})
    assert PASSWORD not in str(caught.value)
    assert isinstance(server.translate(caught.value), SchemaMismatch)


def test_tables_that_are_missing_name_the_command(made):
    other = connector(made, prefix="none_")
    with opened(other) as cursor:
        error = other.translate(failing(other.begin, cursor))
    assert isinstance(error, SchemaMismatch)
    assert "db upgrade" in str(error)


# ---- while connecting


def test_a_pool_that_is_used_up(made):
    server = connector(made, pool_size=1, connect_timeout=0.05)
    with (
        pooled(server) as engine,
        engine.connect(),
        pytest.raises(sa.exc.TimeoutError) as caught,
    ):
        engine.connect()
    assert "all 1 in use; raise pool_size" in str(server.translate(caught.value))


def test_a_database_that_does_not_exist(made, case):
    told = refused(make_url(made).set(database="nowhere"))
    assert "expected the database 'nowhere'" in told
    assert case.CREATING_NOWHERE in told


def test_a_port_where_nobody_listens(made):
    url = make_url(made).set(port=1, password=PASSWORD)
    assert f"cannot reach the database {url.database!r} at {url.host}:1" in refused(url)


def test_a_host_that_does_not_exist(made):
    assert "nowhere.invalid" in refused(make_url(made).set(host="nowhere.invalid"))
