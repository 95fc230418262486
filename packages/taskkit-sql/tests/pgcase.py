"""What the tests of connectors have to say to PostgreSQL, and to its driver, in its own way."""

from __future__ import annotations

from contextlib import contextmanager

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from taskkit_sql import postgres_connecting as connecting
from taskkit_sql.postgres import Postgres

Connector = Postgres

OTHER_ROWS = {"row_factory": dict_row, "cursor_factory": psycopg.ClientCursor}
"""Options of a connection whose rows are not what they are by default."""

MADE_ANEW = (
    "DROP TABLE taskkit_store",
    "CREATE TABLE taskkit_store (store_id uuid DEFAULT gen_random_uuid())",
    "INSERT INTO taskkit_store DEFAULT VALUES",
)
"""Makes another store of one."""

CREATING_NOWHERE = "createdb nowhere"
ONLY_READING = "SET TRANSACTION READ ONLY"

CONFLICTS = ("40001", "40P01", "55P03", "23505")
ENDS = ("08006", "08003", "57P01", "57P02", "57P03", "25P03")
"""Of a connection."""


def engine_url(url):
    return url.replace("postgresql", "postgresql+psycopg", 1)


def plain(url, **options):
    return psycopg.connect(url.replace("+psycopg", ""), **options)


def shown(cursor, *names):
    """Return settings of the session."""
    return [cursor.execute(f"SHOW {name}").fetchone()[0] for name in names]


# ---- connections


def is_open(connection):
    return not connection.closed


def is_in_autocommit(connection):
    return connection.autocommit


def is_in_transaction(connection):
    status = connection.info.transaction_status
    assert status in {TransactionStatus.IDLE, TransactionStatus.INTRANS}
    return status == TransactionStatus.INTRANS


def end(cursor, connection):
    """Let the server end a connection."""
    cursor.execute("SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,))


def wait_at_most(connection, seconds):
    connecting.bind(connection, seconds)


def wait_briefly(cursor):
    """Give up soon what another transaction has locked."""
    cursor.execute("SET lock_timeout = 10")


@contextmanager
def asking(connection):
    """Give what returns how often a connection has had to wait for the server."""
    waits, wait = [], connection.wait

    def counted(steps):
        try:
            wanted = next(steps)
            waits.append(wanted)  # what does not wait gives no such step
            while True:
                wanted = steps.send((yield wanted))
        except StopIteration as end:
            return end.value

    vars(connection)["wait"] = lambda steps, *others, **named: wait(
        counted(steps), *others, **named
    )
    yield lambda: len(waits)
    vars(connection)["wait"] = wait


# ---- errors


def coded(state):
    return psycopg.errors.lookup(state)("as the server said it")


def is_deadlock(error):
    return isinstance(error, psycopg.errors.DeadlockDetected)


def unanswered():
    return pytest.raises(psycopg.OperationalError, match="no answer")


def locked():
    return pytest.raises(psycopg.errors.LockNotAvailable)


def only_reading():
    return pytest.raises(psycopg.errors.ReadOnlySqlTransaction)
