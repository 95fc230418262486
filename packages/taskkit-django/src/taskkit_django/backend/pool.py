"""A few connections of taskkit's own, for what only workers do, and for watching."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import Error

from taskkit.errors import Unavailable, Unsupported
from taskkit_django.backend.vendor import Vendor

SIZE: Final = 5
"""A worker process claims, settles, beats and looks after the dead, each once at a time."""


class Pool:
    """Lends connections that belong to no thread, opened as they are needed.

    They are Django's, made of the project's settings, but outside its books: neither
    ``CONN_MAX_AGE`` nor a pool of the driver's concerns them.

    Args:
        alias: The database.
        vendor: Makes their settings of the project's, and prepares them.
    """

    def __init__(self, alias: str, vendor: Vendor) -> None:
        self._alias = alias
        self._vendor = vendor
        self._errors: tuple[type[Exception], ...] = (*vendor.errors, Error)
        self._closed = False
        self._keeps = True
        self.forked: Callable[[], None] = lambda: None
        """Called in the child after a fork, when the child first uses the store."""
        self._reset()
        self._process = os.getpid()

    def _reset(self) -> None:
        self._room = threading.BoundedSemaphore(SIZE)
        self._lock = threading.Lock()
        self._idle: list[BaseDatabaseWrapper] = []

    @contextmanager
    def lend(self) -> Iterator[BaseDatabaseWrapper]:
        """Give a connection to the calling thread alone, open."""
        self._attend_fork()
        with self._room:
            connection = self._take()
            try:
                yield connection
            finally:
                self._give_back(connection)

    @contextmanager
    def private(self) -> Iterator[BaseDatabaseWrapper]:
        """Give a connection beside the others, closed at the end."""
        connection = self._connect()
        try:
            yield connection
        finally:
            self.discard(connection)

    def resolve(self, within: object) -> BaseDatabaseWrapper:
        """Refuse: what only workers do is part of nobody's transaction."""
        raise Unsupported(f"within: expected nothing in what workers do, found {within!r}")

    def discard(self, connection: BaseDatabaseWrapper) -> None:
        """Close a connection for good."""
        driver, connection.connection = connection.connection, None
        if driver is not None:
            # Not by Django's close, which leaves SQLite's databases in memory open.
            with suppress(*self._errors):
                driver.close()

    def distrust(self) -> None:
        """Close those that nobody uses: what broke one has likely broken all."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            self.discard(connection)

    def keep(self) -> None:
        """Keep connections open between uses, as at the beginning."""
        self._keeps = True

    def rest(self) -> None:
        """Keep none open any more."""
        self._keeps = False
        if self._process == os.getpid():
            self.distrust()

    def close(self) -> None:
        """Close every connection; those in use when they are given back."""
        self._closed = True
        if self._process == os.getpid():
            self.distrust()

    def _take(self) -> BaseDatabaseWrapper:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: BaseDatabaseWrapper) -> None:
        with self._lock:
            if connection.connection is not None and self._keeps and not self._closed:
                self._idle.append(connection)
                return
        self.discard(connection)

    def _connect(self) -> BaseDatabaseWrapper:
        if self._closed:
            raise Unavailable("this backend has been closed; open a new one")
        model = connections[self._alias]
        made: BaseDatabaseWrapper = type(model)(
            self._vendor.own_settings(model.settings_dict), self._alias
        )
        made.inc_thread_sharing()
        try:
            # In here: it may fail with the connection open, as by a receiver of a signal.
            made.connect()
            self._vendor.prepare(made)
        except BaseException:
            self.discard(made)
            raise
        return made

    def _attend_fork(self) -> None:
        if self._process == os.getpid():
            return
        with _forked.lock:
            # Another thread of the child may have come first.
            if self._process == os.getpid():
                return
            # Connections of the parent: not even closed, which would end them for the parent.
            _left_to_parent.append(self._idle)
            self._reset()
            self.forked()
            # At last: whoever finds this takes what lies idle, which must not be the parent's.
            self._process = os.getpid()


class _Forked:
    """What the threads of a child wait for until one of them has begun anew."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Forget who held it in the parent: a thread that the child has not."""
        self.lock = threading.Lock()


_forked: Final = _Forked()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked.renew)

# Never emptied: see `_attend_fork`.
_left_to_parent: list[object] = []
