"""The caller's transaction: what ``within=`` may be, and the driver's cursor in it."""

from __future__ import annotations

import sys
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


def driver_cursor(connection: sa.Connection) -> Cursor:
    """Return a cursor of the driver on a connection."""
    driver = connection.connection.driver_connection
    assert driver is not None
    return cast("Cursor", driver.cursor())
