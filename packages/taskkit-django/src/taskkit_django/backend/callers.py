"""The connection that the calling thread has anyway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread, current_thread
from typing import Final
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionProxy

from taskkit.errors import Unsupported
from taskkit_django.backend.foreign import close_foreign
from taskkit_django.backend.tended import is_tended, tended

_OURS: Final = "taskkit-"
"""What the names of the threads of workers begin with."""


class Callers:
    """Lends each thread its own connection of Django, with the transaction that it is in."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._left: WeakKeyDictionary[BaseDatabaseWrapper, Thread] = WeakKeyDictionary()
        """Connections that were opened here and that nobody else will close, with their threads."""

    @contextmanager
    def lend(self) -> Iterator[BaseDatabaseWrapper]:
        """Give the thread's connection, open.

        One that had to be opened for this in a thread whose connections nobody closes (a thread
        pool, say) is closed again, unless ``CONN_MAX_AGE`` lets it live.
        """
        connection = connections[self._alias]
        was_open = connection.connection is not None
        try:
            connection.close_if_health_check_failed()
            connection.ensure_connection()
            yield connection
        finally:
            if not was_open and not is_tended():
                connection.close_if_unusable_or_obsolete()
                if connection.connection is not None and not tended.itself:
                    self._left[connection] = current_thread()

    def resolve(self, within: object) -> BaseDatabaseWrapper:
        """Return the connection that a caller names by itself or by its alias."""
        named = within
        if isinstance(within, str) and within in connections.settings:
            named = connections[within]
        if isinstance(within, ConnectionProxy):
            named = connections[DEFAULT_DB_ALIAS]
        if not isinstance(named, BaseDatabaseWrapper):
            raise Unsupported(
                "within: expected a connection of Django to the same database, or its alias, "
                f"found {type(within).__module__}.{type(within).__qualname__}; tasks are part of "
                f"the current atomic() block of {self._alias!r} by themselves"
            )
        own = connections[self._alias]
        if place(named) != place(own):
            raise Unsupported(
                f"within: expected a transaction on the database of {self._alias!r}, found one on "
                f"that of {named.alias!r}; tasks can only be part of a transaction on the "
                "database that holds them"
            )
        return named

    def discard(self, connection: BaseDatabaseWrapper) -> None:
        """Close a connection that is of no more use; in a transaction, have its owner do that."""
        connection.errors_occurred = True
        if connection.in_atomic_block:
            connection.needs_rollback = True
        else:
            with suppress(Exception):  # whatever a driver says of one that is closed already
                connection.close()

    def close_own(self) -> None:
        """Close the calling thread's connection, unless that is in a transaction."""
        own = connections[self._alias]
        if not own.in_atomic_block:
            own.close()

    def close_ended(self) -> None:
        """Close what threads have left open that have ended, or that end with the last worker."""
        self._close_left(lambda thread: thread.name.startswith(_OURS) or not thread.is_alive())

    def close(self) -> None:
        """Close the calling thread's connection, and those that other threads have left open."""
        self.close_own()
        self._close_left(lambda _thread: True)

    def _close_left(self, is_wanted: Callable[[Thread], bool]) -> None:
        # Not items(), which another thread that opens one would interrupt.
        for reference in self._left.keyrefs():
            connection = reference()
            if connection is not None and is_wanted(self._left[connection]):
                close_foreign(connection)


def place(connection: BaseDatabaseWrapper) -> tuple[str, ...]:
    """Return what tells one database from another."""
    settings = connection.settings_dict
    return (
        connection.vendor,
        *(str(settings.get(key) or "") for key in ("NAME", "HOST", "PORT")),
    )
