"""The caller's transaction: what ``within=`` may be, and the driver's cursor in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

import sqlalchemy as sa

from taskkit.errors import Unsupported
from taskkit_relational.statements import Cursor


def as_connection(within: object, expected: str) -> sa.Connection:
    """Return the SQLAlchemy connection that a caller's transaction goes through.

    Takes a Connection, a Session or scoped_session, and the asynchronous AsyncConnection and
    AsyncSession: of those the synchronous side, which a driver for threads and greenlets serves.

    Raises:
        Unsupported: it is something else.
    """
    if isinstance(within, sa.Connection):
        return within
    # Never imported from here: it doubles the start-up time, and who has a session has it.
    orm: Any = sys.modules.get("sqlalchemy.orm")
    if orm is not None and isinstance(within, orm.Session | orm.scoped_session):
        session: Any = within
        connection: sa.Connection = session.connection()
        return connection
    kind = f"{type(within).__module__}.{type(within).__qualname__}"
    hint = ""
    if type(within).__name__.startswith(("AsyncSession", "AsyncConnection", "async_")):
        hint = "; use: await it.run_sync(lambda sync: kit.initiate_task(..., within=sync))"
    raise Unsupported(f"within: expected {expected}, found {kind}{hint}")


def synchronous(within: object, check: Callable[[Any], object]) -> object:
    """Return the synchronous side of what SQLAlchemy has for coroutines; all else as it is.

    Args:
        within: What a caller has.
        check: Called with that side before anything is tried on it, to refuse it.

    Raises:
        Unsupported: it is an AsyncConnection that is not open.
    """
    # Never imported from here: who has such a thing has imported it.
    aio: Any = sys.modules.get("sqlalchemy.ext.asyncio")
    if aio is None:
        return within
    given: Any = within
    if isinstance(within, aio.async_scoped_session):
        given = cast("Any", within)()
    if isinstance(given, aio.AsyncSession):
        side = given.sync_session
    elif isinstance(given, aio.AsyncConnection):
        side = given.sync_connection
        if side is None:
            raise Unsupported(
                "within: expected an AsyncConnection that is open, found one that was not started "
                "yet; use: async with engine.connect() as connection"
            )
    else:
        return given
    check(side)
    return side


def in_autocommit() -> Unsupported:
    """Return the error of a caller whose connection has no transaction and begins none."""
    return Unsupported("within: expected an open transaction, found a connection in autocommit")


def elsewhere(url: sa.URL, tables: str, database: str | None, *, has_tables: bool) -> Unsupported:
    """Return the error of a caller whose transaction is not where the store's tables are.

    Args:
        url: Of the store.
        tables: What the names of its tables begin with.
        database: That the transaction is on.
        has_tables: Whether that has taskkit's tables too, of another store.
    """
    found = "with tables of another store" if has_tables else "without these tables"
    return Unsupported(
        f"within: expected a transaction on the database {url.database!r} at {url.host}, in which "
        f"taskkit's tables {tables}… are, found one on the database {database!r} {found}; tasks "
        "can only be part of a transaction on the database that holds them"
    )


def driver_cursor(connection: sa.Connection) -> Cursor:
    """Return a cursor of the driver on a connection."""
    driver = connection.connection.driver_connection
    assert driver is not None
    return cast("Cursor", driver.cursor())
