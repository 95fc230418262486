"""Closing a connection of Django that belongs to another thread."""

from __future__ import annotations

from contextlib import suppress

from django.db.backends.base.base import BaseDatabaseWrapper


def close_foreign(connection: BaseDatabaseWrapper) -> None:
    """Close what another thread has left open, unless that is in a transaction.

    A thread that lives opens another connection when it next needs one.
    """
    driver = connection.connection
    if driver is None or _is_in_transaction(connection):
        return
    # Not by Django's close, which only the connection's own thread may call.
    with suppress(Exception):  # whatever a driver says of one that is gone
        driver.close()
    # The thread may have begun a transaction since we looked. Were its connection taken away,
    # Django would open another in the middle of the block and commit the rest of it alone. So it
    # keeps the closed one, on which everything fails, the commit too.
    if _is_in_transaction(connection):
        return
    # No block can begin any more on what is closed. One that has begun just before, and that Django
    # has not noted yet, has done nothing so far: this has Django refuse its first statement.
    # Elsewhere it means nothing; to connect resets it.
    connection.closed_in_transaction = True
    connection.connection = None


def _is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    # Not get_autocommit(), which would open one that is closed. At both ends of an atomic() block
    # autocommit is off for longer than Django says that it is in a block.
    return connection.in_atomic_block or not connection.autocommit
