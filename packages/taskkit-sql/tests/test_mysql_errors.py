"""What the errors of MySQL and MariaDB mean: conflicts, lost connections, and what a user reads."""

from __future__ import annotations

import secrets
import threading

import pymysql
import pytest
import sqlalchemy as sa
from mycase import KINDS, connector, migrate, one, opened, plain
from sqlalchemy.engine import make_url

from taskkit.errors import BackendError, Corrupt, SchemaMismatch, Unavailable

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

PASSWORD = "open sesame's"


@pytest.fixture(scope="module", params=KINDS)
def url(request):
    with request.getfixturevalue(f"{request.param}_server").database() as made:
        yield made


@pytest.fixture(scope="module")
def server(url):
    return migrate(url)


@pytest.fixture
def raw(url):
    """Connections of the driver, not in autocommit, with a table of their own."""
    connections = [plain(url) for _ in range(2)]
    with connections[0].cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS t")
        cursor.execute("CREATE TABLE t (n INT PRIMARY KEY, m INT) ENGINE = InnoDB")
        cursor.execute("INSERT INTO t VALUES (1, 0), (2, 0)")
    connections[0].commit()
    for connection in connections:
        connection.cursor().execute("SET innodb_lock_wait_timeout = 1")
    yield connections
    for connection in connections:
        if connection.open:
            connection.close()


@pytest.fixture
def user(url):
    """A user who may connect, but not to this database; the URL with name and password."""
    name = f"u{secrets.token_hex(4)}"
    with plain(url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {name}@'%%' IDENTIFIED BY %s", (PASSWORD,))
        yield make_url(url).set(username=name, password=PASSWORD)
        cursor.execute(f"DROP USER {name}@'%'")


def text_of(url):
    return url.render_as_string(hide_password=False)


def failing(action, *arguments):
    with pytest.raises(pymysql.MySQLError) as caught:
        action(*arguments)
    return caught.value


def coded(number):
    return pymysql.err.OperationalError(number, "as the server said it")


# ---- kinds


@pytest.mark.parametrize("number", [1213, 1205, 1062, 1020])
def test_whoever_was_in_the_way_is_a_conflict(server, number):
    assert server.is_conflict(coded(number))
    assert not server.is_lost(coded(number))
    assert isinstance(server.translate(coded(number)), Unavailable)


@pytest.mark.parametrize("number", [2006, 2013, 2055, 1053, 1927, 4031, 1047, 1290, 1792, 1836])
def test_what_ends_a_connection(server, number):
    assert server.is_lost(coded(number))
    assert not server.is_conflict(coded(number))
    assert isinstance(server.translate(coded(number)), Unavailable)
    wrapped = sa.exc.OperationalError("SELECT 1", {}, coded(number))
    assert server.is_lost(wrapped)
    assert "as the server said it" in str(server.translate(wrapped))


@pytest.mark.parametrize("number", [1290, 1792, 1836])
def test_a_server_that_was_demoted_is_named(server, number):
    assert "read-only" in str(server.translate(coded(number)))


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (1040, Unavailable, "max_connections"), (1114, Unavailable, "disk"),
        (1142, BackendError, "GRANT"), (1153, BackendError, "max_allowed_packet"),
        (1194, Corrupt, "backup"), (1146, SchemaMismatch, "db upgrade"),
        (3024, Unavailable, "statement_timeout"), (1969, Unavailable, "statement_timeout"),
        (1234, BackendError, r"\(1234\)"),
    ],
)  # fmt: skip
def test_each_says_what_to_do(server, number, kind, text):
    error = server.translate(coded(number))
    assert type(error) is kind
    with pytest.raises(kind, match=text):
        raise error
    assert not server.is_lost(coded(number))


# ---- as servers raise them


def test_a_deadlock(server, raw):
    cursors = [connection.cursor() for connection in raw]
    cursors[0].execute("SET innodb_lock_wait_timeout = 30")
    cursors[1].execute("SET innodb_lock_wait_timeout = 30")
    cursors[0].execute("UPDATE t SET m = 1 WHERE n = 1")
    cursors[1].execute("UPDATE t SET m = 1 WHERE n = 2")
    errors = []

    def cross(cursor, n):
        try:
            cursor.execute("UPDATE t SET m = 2 WHERE n = %s", (n,))
        except pymysql.MySQLError as error:
            errors.append(error)
        cursor.connection.rollback()

    threads = [
        threading.Thread(target=cross, args=(cursor, n))
        for cursor, n in zip(cursors, (2, 1), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [error] = errors
    assert error.args[0] == 1213
    assert server.is_conflict(error)


def test_a_lock_that_is_not_to_be_had(server, raw):
    first, second = (connection.cursor() for connection in raw)
    first.execute("UPDATE t SET m = 1 WHERE n = 1")
    error = failing(second.execute, "UPDATE t SET m = 1 WHERE n = 1")
    assert error.args[0] == 1205
    assert server.is_conflict(error)


def test_a_key_that_is_taken(server, raw):
    error = failing(raw[0].cursor().execute, "INSERT INTO t VALUES (1, 1)")
    assert server.is_conflict(error)


def test_a_transaction_that_only_reads(server, raw):
    cursor = raw[0].cursor()
    raw[0].rollback()
    cursor.execute("START TRANSACTION READ ONLY")
    assert server.is_lost(failing(cursor.execute, "INSERT INTO t VALUES (3, 1)"))


def test_a_connection_that_is_killed_and_used_again(server, raw):
    victim, killer = raw
    with killer.cursor() as cursor:
        cursor.execute(f"KILL {victim.thread_id()}")
    cursor = victim.cursor()
    for _ in range(2):  # the driver has closed it when it is used again
        error = failing(cursor.execute, "SELECT 1")
        assert server.is_lost(error)
        assert isinstance(server.translate(error), Unavailable)


def test_a_missing_table_tells_the_command(server, url):
    other = connector(url, prefix="none_")
    with opened(other) as cursor:
        error = other.translate(failing(other.begin, cursor))
    assert isinstance(error, SchemaMismatch)
    assert "db upgrade" in str(error)


# ---- while connecting


def refused(url):
    server = connector(url)
    with pytest.raises(server.errors) as caught, opened(server):
        pass
    error = server.translate(caught.value)
    assert isinstance(error, Unavailable)
    for secret in (PASSWORD, PASSWORD.replace(" ", "%20"), "sesame"):
        assert secret not in str(error)
    return str(error)


def test_a_wrong_password(user):
    told = refused(text_of(user.set(password="sesame oil")))
    assert f"expected the password of the user {user.username!r}" in told
    assert "found another" in told
    assert "found none" in refused(text_of(user._replace(password=None)))


def test_a_user_who_may_not_use_the_database(user):
    assert "GRANT ALL" in refused(text_of(user))


def test_a_missing_database(url):
    told = refused(text_of(make_url(url).set(database="nowhere")))
    assert "CREATE DATABASE `nowhere`" in told


def test_nobody_listens(url):
    told = refused(text_of(make_url(url).set(port=1, password=PASSWORD)))
    assert "cannot reach the database" in told
    assert ":1" in told


def test_an_unknown_host(url):
    assert "nowhere.invalid" in refused(text_of(make_url(url).set(host="nowhere.invalid")))


def test_too_few_connections_in_the_pool(url):
    server = connector(url, pool_size=1, connect_timeout=0.05)
    engine = server.engine()
    try:
        with engine.connect(), pytest.raises(server.errors) as caught:
            engine.connect()
    finally:
        engine.dispose()
    assert "pool_size" in str(server.translate(caught.value))


def test_no_statement_shows_its_data(server):
    engine = server.engine()
    try:
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(sa.text("SELECT :secret FROM nowhere"), {"secret": PASSWORD})
    finally:
        engine.dispose()
    assert PASSWORD not in str(caught.value)


def test_the_server_gives_a_statement_up(url):
    server = connector(url, statement_timeout=1)
    with opened(server) as cursor:
        error = failing(
            one,
            cursor,
            "SELECT count(*) FROM information_schema.columns a, information_schema.columns b, "
            "information_schema.columns c",
        )
        assert "statement_timeout" in str(server.translate(error))
        assert not server.is_lost(error)
        assert one(cursor, "SELECT 1") == (1,)
