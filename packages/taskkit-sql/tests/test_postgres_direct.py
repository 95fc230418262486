"""Statements that are sent by libpq as they are: values, answers and errors as the driver's."""

from __future__ import annotations

import psycopg
import pytest
from servercase import on_postgres, opened

from taskkit_sql.postgres_direct import Direct

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_postgres

PATIENCE = 20.0


@pytest.fixture
def direct(cursor):
    return Direct(cursor.connection, PATIENCE)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", "käse's %s\n\U0001f600"),
        ("bytea", bytes(range(256)) * 300),
        ("bigint", -(2**63)),
        ("smallint", 7),
        ("bigint", None),
        ("boolean", True),
        ("text[]", ["a", "b"]),
        ("bytea", b"x" * 20_000_000),  # more than the socket takes at once
    ],
)
def test_values_come_back_as_they_went(direct, kind, value):
    direct.execute(f"SELECT %s::{kind}, 1", (value,))
    assert direct.fetchall() == [(value, 1)]
    assert direct.fetchall() == []


def test_texts_are_in_the_encoding_of_the_connection(direct, cursor):
    cursor.execute("SET client_encoding = 'LATIN1'")
    latin = Direct(cursor.connection, PATIENCE)
    latin.execute("SELECT %s::text, length(%s::text)", ("käse", "käse"))
    assert latin.fetchone() == ("käse", 4)
    with pytest.raises(psycopg.Error, match="käse"):
        latin.execute("SELECT %s::text::int", ("käse",))


def test_parameters_have_places_or_names(direct):
    direct.execute("SELECT %s::text || '%%s' || %s::text", ("a", "b"))
    assert direct.fetchone() == ("a%sb",)
    direct.execute("SELECT %(b)s::int, %(a)s::int, %(b)s::int + 1", {"a": 1, "b": 2, "unused": 3})
    assert direct.fetchone() == (2, 1, 3)
    assert direct.fetchone() is None


def test_a_statement_is_prepared_once(direct, cursor):
    for n in range(10):
        direct.execute("SELECT %s::int", (n,))
        direct.execute("SELECT %s::bigint", (n,))
    cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'taskkit%'")
    assert cursor.fetchone() == (2,)


def test_what_the_driver_has_forgotten_is_prepared_again(direct, cursor):
    direct.execute("SELECT %s::int", (1,))
    for _ in range(10):
        cursor.execute("SELECT %s::text", ("prepared by the driver",))
    cursor.execute("BEGIN")
    cursor.execute("ROLLBACK")  # by this it forgets
    cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'taskkit%'")
    assert cursor.fetchone() == (0,)
    direct.execute("SELECT %s::int", (2,))
    assert direct.fetchone() == (2,)


def test_what_was_changed_is_counted(direct):
    direct.execute("CREATE TEMPORARY TABLE counted (n int PRIMARY KEY)")
    insert = "INSERT INTO counted SELECT generate_series(1, %s::int) ON CONFLICT DO NOTHING"
    for expected in (3, 0):
        direct.execute(insert, (3,))
        assert (direct.rowcount, direct.fetchone()) == (expected, None)
    direct.executemany("DELETE FROM counted WHERE n = %s::int", [(1,), (9,)])
    assert direct.rowcount == 0


def test_an_error_is_the_drivers_and_leaves_the_connection_well(direct):
    with pytest.raises(psycopg.errors.DivisionByZero):
        direct.execute("SELECT 1 / %s::int", (0,))
    with pytest.raises(psycopg.errors.SyntaxError):
        direct.execute("SELECT FROM WHERE", ())
    # A zero is refused, and does not end the text.
    with pytest.raises(psycopg.errors.CharacterNotInRepertoire):
        direct.execute("SELECT %s::text", ("a\x00b",))
    direct.execute("SELECT 1 / %s::int", (1,))
    assert direct.fetchone() == (1,)


def test_an_end_of_the_connection_is_told_with_its_reason(direct, server, case, cursor):
    direct.execute("SELECT 1", ())
    with opened(server) as other:
        case.end(other, cursor.connection)
    with pytest.raises(psycopg.OperationalError) as caught:
        direct.execute("SELECT 1", ())
    assert server.is_lost(caught.value)


def test_a_server_that_ends_the_connection_in_the_middle_of_a_statement(direct, server):
    with pytest.raises(psycopg.Error) as caught:
        direct.execute("SELECT pg_terminate_backend(pg_backend_pid())", ())
    assert caught.value.sqlstate == "57P01"
    assert server.is_lost(caught.value)


def test_without_an_answer_the_connection_is_given_up(cursor, server):
    direct = Direct(cursor.connection, 0.2)
    with pytest.raises(psycopg.OperationalError, match="no answer for 0.2 s") as caught:
        direct.execute("SELECT pg_sleep(%s::int)", (30,))
    assert server.is_lost(caught.value)
    assert cursor.connection.closed
