"""Connections to PostgreSQL: their parameters, their settings, and that none waits for ever."""

from __future__ import annotations

import math
import select
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from sqlalchemy.event import listen
from sqlalchemy.exc import DisconnectionError

from taskkit.clock import monotonic
from taskkit_relational.dialects.postgres.planning import PLANNING
from taskkit_sql.settings import ServerSettings
from taskkit_sql.understanding import understand, understanding

_IDLE: Final = 10
"""Seconds of silence after which TCP asks whether the other side is still there."""
_ASKING: Final = 3
"""Seconds between such questions, and how many stay without an answer before it is not."""

_MARGIN: Final = 5.0
"""Seconds that a statement's end may be late: the server gives up first, if it still can."""


def engine_of(settings: ServerSettings) -> sa.Engine:
    """Return a new engine; ``AUTOCOMMIT`` keeps the driver from beginning by itself."""
    engine = sa.create_engine(
        settings.url,
        isolation_level="AUTOCOMMIT",
        connect_args=_parameters(settings),
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.connect_timeout,
        pool_use_lifo=True,  # the others may rest, and be closed by whoever dislikes idle ones
        pool_reset_on_return=None,  # `_reset` does it where something is open
        use_native_hstore=False,
        hide_parameters=True,
    )

    def prepare(connection: psycopg.Connection[Any], _record: object) -> None:
        try:
            _prepare(connection, settings)
        except BaseException:
            connection.close()  # the pool does not know of it yet
            raise

    understand(engine, settings)
    listen(engine, "connect", prepare)
    listen(engine, "checkout", _look_at)
    listen(engine, "reset", _reset)
    return engine


def connect(settings: ServerSettings) -> psycopg.Connection[Any]:
    """Return a connection of its own, outside any pool, in autocommit."""
    dialect = settings.url.get_dialect()()
    with understanding(settings):
        arguments, parameters = dialect.create_connect_args(settings.url)
        parameters = {**parameters, **_parameters(settings), "autocommit": True}
        connection = psycopg.connect(*arguments, **parameters)
    try:
        _prepare(connection, settings)
    except BaseException:
        connection.close()
        raise
    return connection


def _parameters(settings: ServerSettings) -> dict[str, Any]:
    """Return what the driver is told, except what the URL tells it."""
    parameters: dict[str, Any] = {
        "application_name": "taskkit",
        "connect_timeout": max(2, math.ceil(settings.connect_timeout)),  # libpq knows no less
        "keepalives": 1,
        "keepalives_idle": _IDLE,
        "keepalives_interval": _ASKING,
        "keepalives_count": _ASKING,
        "tcp_user_timeout": math.ceil(settings.connect_timeout * 1000),
    }
    told = {name: value for name, value in parameters.items() if name not in settings.url.query}
    if not settings.notify:
        # A pooler gives the next statement to another session, which has prepared nothing.
        told["prepare_threshold"] = None
    return told


def bounds(settings: ServerSettings) -> dict[str, str]:
    """Return the server's settings that bound what a transaction can wait for, in its units."""
    statement = str(math.ceil(settings.statement_timeout * 1000))
    return {
        "statement_timeout": statement,
        "lock_timeout": str(math.ceil(settings.lock_timeout * 1000)),
        # A process that was stopped in mid-transaction must not keep its locks.
        "idle_in_transaction_session_timeout": statement,
    }


def _prepare(connection: psycopg.Connection[Any], settings: ServerSettings) -> None:
    connection.autocommit = True
    bind(connection, patience(settings))
    if settings.notify:
        # Behind a pooler they would stay with a session that others get: see `Postgres.begin`.
        values = ", ".join(
            f"('{name}', '{value}')" for name, value in {**bounds(settings), **PLANNING}.items()
        )
        # Only what this server knows: not every one that speaks its language is a PostgreSQL.
        connection.execute(
            f"SELECT set_config(name, value, false) FROM pg_settings "  # noqa: S608 - own names
            f"JOIN (VALUES {values}) AS wanted (name, value) USING (name)".encode()
        )


def bind(connection: psycopg.Connection[Any], seconds: float) -> None:
    """Let every statement on a connection fail that has no answer after so many seconds.

    The server's own timeouts do not help where the server stands still, and TCP's do not where
    its machine goes on answering for it.
    """
    wait = type(connection).wait.__get__(connection)

    def bounded(steps: Any, *arguments: Any, **options: Any) -> Any:
        return wait(_bounded(connection, steps, seconds), *arguments, **options)

    # In the way of the method: the driver offers no other place where all waiting passes.
    vars(connection)["wait"] = bounded


@contextmanager
def unbound(connection: psycopg.Connection[Any]) -> Generator[None]:
    """Let statements take as long as they need: changes of tables, sweeping."""
    bounded = vars(connection).pop("wait")
    try:
        yield
    finally:
        vars(connection)["wait"] = bounded


def _bounded(
    connection: psycopg.Connection[Any], steps: Generator[Any, Any, Any], seconds: float
) -> Generator[Any, Any, Any]:
    """Go through the driver's steps; it wakes up ten times a second to see whether to go on."""
    deadline = monotonic() + seconds
    try:
        wanted = next(steps)
        while True:
            ready = yield wanted
            if not ready and monotonic() > deadline:
                connection.close()
                raise psycopg.OperationalError(f"no answer for {seconds:g} s")
            wanted = steps.send(ready)
    except StopIteration as end:
        return end.value


def patience(settings: ServerSettings) -> float:
    """Return after how many seconds without an answer a connection is given up."""
    return settings.statement_timeout + _MARGIN


def is_in_transaction(connection: psycopg.Connection[Any]) -> bool:
    """Return whether a connection has a transaction open, as the server said last."""
    return connection.pgconn.transaction_status != TransactionStatus.IDLE


def _reset(connection: psycopg.Connection[Any], _record: object, _state: object) -> None:
    """Undo what was left open, which an error must have kept from being undone in its place."""
    if is_in_transaction(connection):
        connection.rollback()


def is_alive(connection: psycopg.Connection[Any]) -> bool:
    """Return, without a round trip, whether the server has left an idle connection open.

    What it has sent is waiting here: a farewell, then the end. Two reads find both.
    """
    pgconn = connection.pgconn
    try:
        silent = select.poll()
        silent.register(pgconn.socket, select.POLLIN)
        if not silent.poll(0):
            return True
        pgconn.consume_input()
        pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return True


def _look_at(connection: psycopg.Connection[Any], _record: object, _proxy: object) -> None:
    if not is_alive(connection):
        raise DisconnectionError
