"""What is particular to the errors of MySQL and MariaDB."""

from __future__ import annotations

import secrets

import pytest
from errorcase import PASSWORD, failing, refused
from mycase import coded
from servercase import connector, on_mysql, one, opened, plain
from sqlalchemy.engine import make_url

from taskkit.errors import BackendError, Corrupt, SchemaMismatch, Unavailable

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

pytestmark = on_mysql


@pytest.fixture
def user(made):
    """A user who may connect, but not to this database; the URL with name and password."""
    name = f"u{secrets.token_hex(4)}"
    with plain(made, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {name}@'%%' IDENTIFIED BY %s", (PASSWORD,))
        yield make_url(made).set(username=name, password=PASSWORD)
        cursor.execute(f"DROP USER {name}@'%'")


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


def test_a_wrong_password(user):
    told = refused(user.set(password="sesame oil"))
    assert f"expected the password of the user {user.username!r}" in told
    assert "found another" in told
    assert "found none" in refused(user._replace(password=None))


def test_a_user_who_may_not_use_the_database(user):
    assert "GRANT ALL" in refused(user)


def test_the_server_gives_a_statement_up(made):
    server = connector(made, statement_timeout=1)
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
