"""What the tests of connectors have to say to MySQL and MariaDB, and to their driver."""

from __future__ import annotations

from contextlib import contextmanager

import pymysql
import pytest
from pymysql.cursors import DictCursor
from sqlalchemy.engine import make_url

from taskkit.clock import monotonic
from taskkit_sql import mysql_connecting as connecting
from taskkit_sql.mysql import Mysql

Connector = Mysql

OTHER_ROWS = {"cursorclass": DictCursor}
"""Options of a connection whose rows are not what they are by default."""

MADE_ANEW = ("UPDATE taskkit_store SET store_id = 'new'",)
"""Makes another store of one."""

CREATING_NOWHERE = "CREATE DATABASE `nowhere`"
ONLY_READING = "START TRANSACTION READ ONLY"

CONFLICTS = (1213, 1205, 1062, 1020)
ENDS = (2006, 2013, 2055, 1053, 1927, 4031, 1047, 1290, 1792, 1836)
"""Of a connection."""


def engine_url(url):
    return url.replace("mysql", "mysql+pymysql", 1)


def plain(url, **options):
    parsed = make_url(url)
    told = {"host": parsed.host, "port": parsed.port, "user": parsed.username}
    return pymysql.connect(
        **told, password=parsed.password or "", database=parsed.database, **options
    )


# ---- connections


def is_open(connection):
    return connection.open


def is_in_autocommit(connection):
    return connection.get_autocommit()


def is_in_transaction(connection):
    return connecting.is_in_transaction(connection)


def end(cursor, connection):
    """Let the server end a connection."""
    number = connection.thread_id()
    cursor.execute(f"KILL {number}")
    deadline = monotonic() + 30
    while cursor.execute("SELECT 1 FROM information_schema.processlist WHERE id = %s", (number,)):
        assert monotonic() < deadline


def wait_at_most(connection, seconds):
    connection._read_timeout = seconds


def wait_briefly(cursor):
    """Give up soon what another transaction has locked."""
    cursor.execute("SET innodb_lock_wait_timeout = 1")


@contextmanager
def asking(connection):
    """Give what returns how many statements a connection has sent, as the server counts."""
    with connection.cursor() as cursor:
        before = _questions(cursor)
        yield lambda: _questions(cursor) - before - 1


def _questions(cursor):
    cursor.execute("SHOW SESSION STATUS LIKE 'Questions'")
    return int(cursor.fetchone()[1])


# ---- errors


def coded(number):
    return pymysql.err.OperationalError(number, "as the server said it")


def is_deadlock(error):
    return error.args[0] == 1213


def unanswered():
    return pytest.raises(pymysql.err.OperationalError)


def locked():
    return pytest.raises(pymysql.err.OperationalError, match="1205")


def only_reading():
    return pytest.raises(pymysql.err.OperationalError, match="1792")
