"""What a store's tests have to say to PostgreSQL in its own way."""

from __future__ import annotations

import psycopg
import pytest

from taskkit_relational.dialects.postgres import statements

DIALECT = "postgres"
Statements = statements.PostgresStatements


def connect(url):
    """Return a cursor on a new connection, not in autocommit."""
    connection = psycopg.connect(url)
    connection.execute("SET lock_timeout = '20s'")
    connection.commit()
    return connection.cursor()


def selected(column):
    return column


def wait_briefly(cursor):
    """Give up soon what another transaction has locked."""
    cursor.execute("SET LOCAL lock_timeout = '20ms'")


def locked():
    return pytest.raises(psycopg.errors.LockNotAvailable)


def taken():
    return pytest.raises(psycopg.errors.UniqueViolation)


def clear_by_three(monkeypatch):
    monkeypatch.setattr(statements, "_CLEARED", 3)
