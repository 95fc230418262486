"""Connections to MySQL and MariaDB: their parameters and settings, and that none waits for ever."""

from __future__ import annotations

import math
import select
import socket
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, cast

import pymysql
import sqlalchemy as sa
from pymysql.constants import CLIENT, SERVER_STATUS
from sqlalchemy.event import listen
from sqlalchemy.exc import DisconnectionError

from taskkit.errors import Unsupported
from taskkit_sql.settings import ServerSettings
from taskkit_sql.understanding import understand, understanding

_IDLE: Final = 10
"""Seconds of silence after which TCP asks whether the other side is still there."""
_ASKING: Final = 3
"""Seconds between such questions, and how many stay without an answer before it is not."""

_MARGIN: Final = 5.0
"""Seconds that a statement's end may be late: the server gives up first, if it still can."""

_SHORTEST_REST: Final = 60
"""Seconds that an idle connection to MySQL may have. It cannot tell one in a transaction from one
in a pool; this is seldom for the one and not too long for the other's locks."""

_SWITCHES: Final = ("ssl_disabled", "ssl_verify_cert", "ssl_verify_identity")
"""Of the driver: in a URL they are words, of which it would take every one for yes."""

OLDEST_MARIADB: Final = (10, 6)
OLDEST_MYSQL: Final = (8, 0)


def engine_of(settings: ServerSettings) -> sa.Engine:
    """Return a new engine; ``AUTOCOMMIT`` keeps SQLAlchemy and the driver from beginning."""
    engine = sa.create_engine(
        settings.url.set(query={}),
        isolation_level="AUTOCOMMIT",
        connect_args=_parameters(settings),
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.connect_timeout,
        pool_use_lifo=True,  # the others may rest, and be closed by whoever dislikes idle ones
        pool_reset_on_return=None,  # `_reset` does it without a round trip where nothing is open
        hide_parameters=True,
    )

    def prepare(connection: Any, _record: object) -> None:
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


def connect(settings: ServerSettings) -> Any:
    """Return a connection of its own, outside any pool, in autocommit."""
    parameters = _parameters(settings)
    with understanding(settings):
        connection = pymysql.connect(**parameters)
    try:
        _prepare(connection, settings)
    except BaseException:
        connection.close()
        raise
    return connection


def _parameters(settings: ServerSettings) -> dict[str, Any]:
    """Return what the driver is told: what the URL says, and what it says nothing of."""
    dialect = settings.url.get_dialect()()
    with understanding(settings):
        _, told = dialect.create_connect_args(settings.url)
        flags = int(told.get("client_flag", 0)) | CLIENT.MULTI_STATEMENTS
    for switch in _SWITCHES:
        if switch in told:
            told[switch] = str(told[switch]).lower() in ("true", "yes", "on", "1")
    seconds = settings.statement_timeout + _MARGIN
    return {
        "charset": "utf8mb4",
        "connect_timeout": max(1, math.ceil(settings.connect_timeout)),
        "read_timeout": seconds,
        # The same, so that the driver has nothing to set between a statement and its answer.
        "write_timeout": seconds,
        **told,
        "autocommit": True,
        "client_flag": flags,
    }


def _prepare(connection: Any, settings: ServerSettings) -> None:
    is_mariadb = "mariadb" in connection.get_server_info().lower()
    _refuse_old(connection.get_server_info(), is_mariadb)
    _keep_alive(connection)
    statement = math.ceil(settings.statement_timeout)
    if is_mariadb:
        bounds = {
            "max_statement_time": str(statement),
            # A process that was stopped in mid-transaction must not keep its locks.
            "idle_transaction_timeout": str(statement),
        }
    else:
        bounds = {
            "max_execution_time": str(statement * 1000),
            "wait_timeout": str(max(_SHORTEST_REST, 2 * statement)),
        }
    bounds["innodb_lock_wait_timeout"] = str(math.ceil(settings.lock_timeout))
    # What does not fit is an error, and never cut short.
    bounds["sql_mode"] = "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
    values = ", ".join(f"SESSION {name} = {value}" for name, value in bounds.items())
    with connection.cursor() as cursor:
        cursor.execute(f"SET {values}; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        finish(cursor)


def finish(cursor: Any) -> None:
    """Read what is left of the answers to several statements; raises where one has failed."""
    while cursor.nextset():
        pass


def _refuse_old(told: str, is_mariadb: bool) -> None:
    # MariaDB puts 5.5.5- before its version, for replicas from long ago.
    version = told.removeprefix("5.5.5-") if is_mariadb else told
    parts = version.split("-")[0].split(".")
    found = tuple(int(part) for part in parts[:2] if part.isdigit())
    if found and found < (OLDEST_MARIADB if is_mariadb else OLDEST_MYSQL):
        raise Unsupported(
            "expected MariaDB from 10.6 or MySQL from 8.0, whose claims can step around rows that "
            f"others have locked (SKIP LOCKED), found {told}"
        )


def _keep_alive(connection: Any) -> None:
    # The driver switches this on, but the system's times are hours; it has no place for others.
    inner = getattr(connection, "_sock", None)
    if not isinstance(inner, socket.socket) or inner.family == getattr(socket, "AF_UNIX", None):
        return
    inner.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _IDLE),
        ("TCP_KEEPINTVL", _ASKING),
        ("TCP_KEEPCNT", _ASKING),
        ("TCP_USER_TIMEOUT", (_IDLE + _ASKING * _ASKING) * 1000),
    ):
        option = getattr(socket, name, None)  # not every system has every one
        if option is not None:
            inner.setsockopt(socket.IPPROTO_TCP, option, value)


def is_in_transaction(connection: Any) -> bool:
    """Return whether a connection has a transaction open, as the server said last."""
    return bool(connection.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS)


def _reset(connection: Any, _record: object, _state: object) -> None:
    if connection.open and is_in_transaction(connection):
        connection.rollback()


def is_alive(connection: Any) -> bool:
    """Return, without a round trip, whether the server has left an idle connection open."""
    inner = getattr(connection, "_sock", None)
    if inner is None:
        return False
    # Nobody has asked anything: whatever can be read is a farewell, or the end.
    poll = select.poll()
    poll.register(inner, select.POLLIN)
    return not poll.poll(0)


def _look_at(connection: Any, _record: object, _proxy: object) -> None:
    if not is_alive(connection):
        raise DisconnectionError


@contextmanager
def unbound(cursor: Any) -> Generator[None]:
    """Let statements take as long as they need, for changes of tables."""
    connection = cursor.connection
    before = connection._read_timeout  # noqa: SLF001 - the driver has no place for it
    is_mariadb = "mariadb" in connection.get_server_info().lower()
    name = "max_statement_time" if is_mariadb else "max_execution_time"
    cursor.execute(f"SELECT @@SESSION.{name}")
    bound = cast("Any", cursor.fetchone())[0]
    connection._read_timeout = None  # noqa: SLF001 - as above
    cursor.execute(f"SET SESSION {name} = 0")
    try:
        yield
    finally:
        connection._read_timeout = before  # noqa: SLF001 - as above
        if connection.open:
            cursor.execute(f"SET SESSION {name} = {bound}")
