"""What a store's tests have to say to MySQL and MariaDB in their own way."""

from __future__ import annotations

import pymysql
import pytest
from sqlalchemy.engine import make_url

from taskkit_relational.dialects.mysql import rarer, statements

DIALECT = "mysql"
Statements = statements.MysqlStatements

_TEXTS = {"name", "worker_id", "unique_slot"}


def connect(url, isolation="READ COMMITTED", **options):
    """Return a cursor on a new connection, not in autocommit."""
    parsed = make_url(url)
    connection = pymysql.connect(
        host=parsed.host,
        port=parsed.port,
        user=parsed.username,
        password=parsed.password or "",
        database=parsed.database,
        **options,
    )
    cursor = connection.cursor()
    cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")
    cursor.execute("SET SESSION innodb_lock_wait_timeout = 20")
    return cursor


def selected(column):
    return f"CONVERT({column} USING utf8mb4)" if column in _TEXTS else column


def wait_briefly(cursor):
    """Give up soon what another transaction has locked."""
    cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")


def locked():
    return pytest.raises(pymysql.err.OperationalError, match="1205")


def taken():
    return pytest.raises(pymysql.err.IntegrityError, match="1062")


def clear_by_three(monkeypatch):
    monkeypatch.setattr(rarer, "CLEAR", rarer.CLEAR.replace("20000", "3"))
