"""What PostgreSQL's errors mean: conflicts, lost connections, and what a user reads."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from pgcase import connector, migrate, opened

from taskkit.errors import BackendError, SchemaMismatch, Unavailable

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

PASSWORD = "open sesame"


@pytest.fixture
def server(postgres_url):
    return migrate(postgres_url)


@pytest.fixture
def raw(postgres_url, server):
    """Connections of the driver, not in autocommit, with a table of their own."""
    connections = [psycopg.connect(postgres_url) for _ in range(2)]
    connections[0].execute(
        "CREATE TABLE t (n int PRIMARY KEY, m int); INSERT INTO t VALUES (1), (2)"
    )
    connections[0].commit()
    yield connections
    for connection in connections:
        connection.close()


def failing(action):
    with pytest.raises(psycopg.Error) as caught:
        action()
    return caught.value


def code(state):
    return psycopg.errors.lookup(state)("as the server said it")


# ---- kinds


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "23505"])
def test_whoever_was_in_the_way_is_a_conflict(server, state):
    assert server.is_conflict(code(state))
    assert not server.is_lost(code(state))
    assert isinstance(server.translate(code(state)), Unavailable)


@pytest.mark.parametrize("state", ["08006", "08003", "57P01", "57P02", "57P03", "25P03", "25006"])
def test_what_ends_a_connection(server, state):
    assert server.is_lost(code(state))
    assert not server.is_conflict(code(state))
    assert isinstance(server.translate(code(state)), Unavailable)


@pytest.mark.parametrize("state", ["42601", "22012", "23502", "57014", "53100", "42P01"])
def test_what_is_neither(server, state):
    assert not server.is_lost(code(state))
    assert not server.is_conflict(code(state))


def test_a_deadlock(server, raw):
    first, second = raw
    first.execute("UPDATE t SET m = 1 WHERE n = 1")
    second.execute("UPDATE t SET m = 2 WHERE n = 2")
    errors = []

    def cross(connection, n):
        try:
            connection.execute("UPDATE t SET m = 3 WHERE n = %s", (n,))
        except psycopg.Error as error:
            errors.append(error)
            connection.rollback()

    other = threading.Thread(target=cross, args=(second, 1))
    other.start()
    cross(first, 2)
    first.rollback()
    other.join(30)
    assert [server.is_conflict(error) for error in errors] == [True]


def test_a_serialization_failure(server, raw):
    first, second = raw
    for connection in raw:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT * FROM t")
    first.execute("UPDATE t SET m = 1")
    first.commit()
    assert server.is_conflict(failing(lambda: second.execute("UPDATE t SET m = 2")))


def test_a_lock_that_is_not_to_be_had(server, raw):
    first, second = raw
    first.execute("UPDATE t SET m = 1")
    second.execute("SET lock_timeout = 10")
    error = failing(lambda: second.execute("UPDATE t SET m = 2"))
    assert server.is_conflict(error)
    assert "in the way" in str(server.translate(error))


def test_a_key_that_is_taken(server, raw):
    assert server.is_conflict(failing(lambda: raw[0].execute("INSERT INTO t VALUES (1)")))


def test_a_server_that_only_reads_is_a_lost_connection(server, raw):
    raw[0].execute("SET TRANSACTION READ ONLY")
    error = failing(lambda: raw[0].execute("UPDATE t SET m = 1"))
    assert server.is_lost(error)
    assert "target_session_attrs=read-write" in str(server.translate(error))


def test_a_session_that_was_ended(server, raw):
    first, second = raw
    pid = first.info.backend_pid
    second.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))
    error = failing(lambda: first.execute("SELECT 1"))
    assert server.is_lost(error)
    assert isinstance(server.translate(error), Unavailable)
    again = failing(lambda: first.execute("SELECT 1"))
    assert server.is_lost(again)


def test_what_sqlalchemy_has_wrapped_is_recognised(server, postgres_url):
    engine = sa.create_engine(postgres_url.replace("postgresql", "postgresql+psycopg", 1))
    try:
        with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(sa.text("SELECT * FROM nothing"))
    finally:
        engine.dispose()
    assert isinstance(server.translate(caught.value), SchemaMismatch)


def test_a_statement_that_takes_too_long(postgres_url):
    server = connector(postgres_url, statement_timeout=0.05)
    with opened(server) as cursor:
        error = failing(lambda: cursor.execute("SELECT pg_sleep(60)"))
    translated = server.translate(error)
    assert isinstance(translated, Unavailable)
    assert "within 0.05 s (statement_timeout)" in str(translated)


def test_a_pool_that_is_used_up(postgres_url):
    server = connector(postgres_url, pool_size=1, connect_timeout=0.05)
    engine = server.engine()
    try:
        with engine.connect(), pytest.raises(sa.exc.TimeoutError) as caught:
            engine.connect()
    finally:
        engine.dispose()
    assert "all 1 in use; raise pool_size" in str(server.translate(caught.value))


def test_tables_that_are_missing_name_the_command(postgres_url):
    server = connector(postgres_url)
    with opened(server) as cursor:
        error = failing(lambda: server.begin(cursor))
    translated = server.translate(error)
    assert isinstance(translated, SchemaMismatch)
    assert "db upgrade" in str(translated)
    schema = connector(postgres_url, schema="nowhere")
    with opened(schema) as cursor:
        error = failing(lambda: cursor.execute("CREATE TABLE nowhere.taskkit_task (id text)"))
    assert isinstance(schema.translate(error), SchemaMismatch)


def test_a_transaction_that_has_failed_already(server, raw):
    failing(lambda: raw[0].execute("SELECT 1 / 0"))
    error = failing(lambda: raw[0].execute("SELECT 1"))
    assert "roll it back" in str(server.translate(error))


# ---- what a user reads


@contextmanager
def a_role(url, grant="LOGIN"):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE taskkit_guest {grant}")
        try:
            yield url.replace("//taskkit@", "//taskkit_guest@")
        finally:
            connection.execute("DROP OWNED BY taskkit_guest; DROP ROLE taskkit_guest")


@contextmanager
def passwords_asked(url):
    """Let the server ask one role for its password; a server of ours asks nobody."""
    with psycopg.connect(url, autocommit=True) as connection:
        path = Path(connection.execute("SHOW hba_file").fetchone()[0])
        if not path.exists():
            pytest.skip("the server is not ours")
        before = path.read_text()
        try:
            path.write_text(f"host all taskkit_guest all scram-sha-256\n{before}")
            connection.execute("SELECT pg_reload_conf()")
            yield
        finally:
            path.write_text(before)
            connection.execute("SELECT pg_reload_conf()")


def refused(url, **options):
    """Return how the error of a first connection is told."""
    server = connector(url, **options)
    with closing_engine(server) as engine, pytest.raises(sa.exc.OperationalError) as caught:
        engine.connect()
    assert not server.is_conflict(caught.value)
    translated = server.translate(caught.value)
    assert isinstance(translated, Unavailable)
    return str(translated)


@contextmanager
def closing_engine(server):
    engine = server.engine()
    try:
        yield engine
    finally:
        engine.dispose()


def test_a_wrong_password_is_told_without_it(postgres_url):
    login = f"LOGIN PASSWORD '{PASSWORD}'"
    with a_role(postgres_url, login) as url, passwords_asked(postgres_url):
        with opened(connector(url.replace("guest@", "guest:open%20sesame@"))) as cursor:
            assert cursor.execute("SELECT 1").fetchone() == (1,)
        text = refused(url.replace("guest@", "guest:wrong%20word@"))
        assert "password of the user 'taskkit_guest'" in text
        assert "found another" in text
        assert "wrong" not in text
        assert "found none" in refused(url)


def test_a_password_stays_out_of_every_text(postgres_url):
    server = connector(postgres_url.replace("taskkit@", "taskkit:secret@"))
    error = psycopg.OperationalError("so it was: password=secret host=there")
    assert "secret" not in str(server.translate(error))
    error = psycopg.errors.UndefinedTable("no secret")
    assert "secret" not in str(server.translate(error))


def test_a_database_that_does_not_exist(postgres_url):
    text = refused(postgres_url.rsplit("/", 1)[0] + "/nowhere")
    assert "expected the database 'nowhere'" in text
    assert "createdb nowhere" in text


def test_a_user_who_does_not_exist(postgres_url):
    assert "the user 'nobody'" in refused(postgres_url.replace("//taskkit@", "//nobody@"))


def test_a_port_where_nobody_listens(postgres_url):
    text = refused("postgresql://taskkit@127.0.0.1:1/shop")
    assert "cannot reach the database 'shop' at 127.0.0.1:1" in text


def test_a_host_that_does_not_exist():
    assert "nowhere.invalid" in refused("postgresql://taskkit@nowhere.invalid/shop")


def test_a_server_that_cannot_do_tls_where_it_was_asked_for(postgres_url):
    assert "SSL" in refused(f"{postgres_url}?sslmode=require")


def test_a_file_of_certificates_that_is_missing(postgres_url):
    text = refused(f"{postgres_url}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem")
    assert "SSL" in text or "ca.pem" in text


def test_rights_that_are_missing(postgres_url, server):
    with a_role(postgres_url) as url:
        guest = connector(url)
        with opened(guest) as cursor:
            error = failing(lambda: guest.begin(cursor))
    translated = guest.translate(error)
    assert isinstance(translated, BackendError)
    assert not isinstance(translated, Unavailable)
    assert "'taskkit_guest'" in str(translated)
    assert "GRANT" in str(translated)


def test_characters_that_the_database_cannot_hold(postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE taskkit_latin ENCODING 'LATIN1' TEMPLATE template0")
        try:
            url = postgres_url.rsplit("/", 1)[0] + "/taskkit_latin"
            server = migrate(url)
            with closing(psycopg.connect(url, client_encoding="utf8")) as latin:
                error = failing(lambda: latin.execute("SELECT %s::text", ("漢",)))
        finally:
            connection.execute("DROP DATABASE taskkit_latin WITH (FORCE)")
    assert "ENCODING 'UTF8'" in str(server.translate(error))
