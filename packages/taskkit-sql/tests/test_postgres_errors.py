"""What is particular to the errors of PostgreSQL."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from errorcase import PASSWORD, failing, refused, text_of
from pgcase import coded
from servercase import connector, migrate, on_postgres, one, opened, plain
from sqlalchemy.engine import make_url

from taskkit.errors import BackendError, SchemaMismatch, Unavailable

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_postgres

GUEST = "taskkit_guest"


# ---- kinds


@pytest.mark.parametrize("state", ["42601", "22012", "23502", "57014", "53100", "42P01"])
def test_what_is_neither(server, state):
    assert not server.is_lost(coded(state))
    assert not server.is_conflict(coded(state))


def test_a_server_that_only_reads_is_a_lost_connection(server):
    error = coded("25006")
    assert server.is_lost(error)
    assert not server.is_conflict(error)
    assert isinstance(server.translate(error), Unavailable)
    assert "target_session_attrs=read-write" in str(server.translate(error))


def test_a_serialization_failure(server, made):
    with plain(made) as first, plain(made) as second:
        first.execute("CREATE TABLE counted (n int)")
        first.execute("INSERT INTO counted VALUES (1)")
        first.commit()
        for connection in (first, second):
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute("SELECT * FROM counted")
        first.execute("UPDATE counted SET n = 2")
        first.commit()
        assert server.is_conflict(failing(second.execute, "UPDATE counted SET n = 3"))


def test_a_statement_that_takes_too_long(made):
    server = connector(made, statement_timeout=0.05)
    with opened(server) as cursor:
        error = failing(cursor.execute, "SELECT pg_sleep(60)")
    translated = server.translate(error)
    assert isinstance(translated, Unavailable)
    assert "within 0.05 s (statement_timeout)" in str(translated)


def test_a_schema_that_is_missing(made):
    schema = connector(made, schema="nowhere")
    with opened(schema) as cursor:
        error = failing(cursor.execute, "CREATE TABLE nowhere.taskkit_task (id text)")
    assert isinstance(schema.translate(error), SchemaMismatch)


def test_a_transaction_that_has_failed_already(server, made):
    with plain(made) as connection:
        failing(connection.execute, "SELECT 1 / 0")
        error = failing(connection.execute, "SELECT 1")
    assert "roll it back" in str(server.translate(error))


# ---- what a user reads


@contextmanager
def a_role(url):
    """Make a role that may log in; give the URL with its name."""
    with plain(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {GUEST} LOGIN")
        try:
            yield make_url(url).set(username=GUEST)
        finally:
            connection.execute(f"DROP OWNED BY {GUEST}; DROP ROLE {GUEST}")


@contextmanager
def passwords_asked(url):
    """Let the server ask the role for its password; a server of ours asks nobody."""
    with plain(url, autocommit=True) as connection:
        path = Path(connection.execute("SHOW hba_file").fetchone()[0])
        if not path.exists():
            pytest.skip("the server is not ours")
        before = path.read_text()
        told = PASSWORD.replace("'", "''")
        connection.execute(f"ALTER ROLE {GUEST} PASSWORD '{told}'")
        try:
            path.write_text(f"host all {GUEST} all scram-sha-256\n{before}")
            connection.execute("SELECT pg_reload_conf()")
            yield
        finally:
            path.write_text(before)
            connection.execute("SELECT pg_reload_conf()")


def test_a_wrong_password_is_told_without_it(made):
    with a_role(made) as url, passwords_asked(made):
        with opened(connector(text_of(url.set(password=PASSWORD)))) as cursor:
            assert one(cursor, "SELECT 1") == (1,)
        told = refused(url.set(password="wrong word"))
        assert f"password of the user {GUEST!r}" in told
        assert "found another" in told
        assert "wrong" not in told
        assert "found none" in refused(url)


def test_a_password_stays_out_of_every_text(made):
    server = connector(text_of(make_url(made).set(password="secret")))
    error = psycopg.OperationalError("so it was: password=secret host=there")
    assert "secret" not in str(server.translate(error))
    error = psycopg.errors.UndefinedTable("no secret")
    assert "secret" not in str(server.translate(error))


def test_a_user_who_does_not_exist(made):
    assert "the user 'nobody'" in refused(make_url(made).set(username="nobody"))


def test_a_server_that_cannot_do_tls_where_it_was_asked_for(made):
    assert "SSL" in refused(make_url(f"{made}?sslmode=require"))


def test_a_file_of_certificates_that_is_missing(made):
    told = refused(make_url(f"{made}?sslmode=verify-full&sslrootcert=/nowhere/ca.pem"))
    assert "SSL" in told or "ca.pem" in told


def test_rights_that_are_missing(made):
    with a_role(made) as url:
        guest = connector(text_of(url))
        with opened(guest) as cursor:
            error = failing(guest.begin, cursor)
    translated = guest.translate(error)
    assert isinstance(translated, BackendError)
    assert not isinstance(translated, Unavailable)
    assert repr(GUEST) in str(translated)
    assert "GRANT" in str(translated)


def test_characters_that_the_database_cannot_hold(made):
    with plain(made, autocommit=True) as connection:
        connection.execute("CREATE DATABASE taskkit_latin ENCODING 'LATIN1' TEMPLATE template0")
        try:
            url = text_of(make_url(made).set(database="taskkit_latin"))
            server = migrate(url)
            with closing(psycopg.connect(url, client_encoding="utf8")) as latin:
                error = failing(latin.execute, "SELECT %s::text", ("漢",))
        finally:
            connection.execute("DROP DATABASE taskkit_latin WITH (FORCE)")
    assert "ENCODING 'UTF8'" in str(server.translate(error))
