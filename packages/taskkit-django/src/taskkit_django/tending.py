"""Django's connections around tasks: none is left open that the settings want closed.

A connection of Django belongs to a thread, and is closed at the end of a request if it is older
than ``CONN_MAX_AGE`` or broken. A task is to a worker's thread what a request is to a server's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Any
from weakref import WeakSet

from asgiref.sync import sync_to_async
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from taskkit.context import current_task
from taskkit.plugins import hookimpl
from taskkit_django.backend.foreign import close_foreign
from taskkit_django.backend.opening import house_of
from taskkit_django.backend.tended import suspect
from taskkit_django.backend.tended import tended as _tended


class Tending:
    """The plugin of a kit that closes old connections around every task.

    Args:
        backend: The kit's; what it holds open for workers is closed with the last of them.
    """

    def __init__(self, backend: object) -> None:
        self._backend = backend
        self._kept: WeakSet[BaseDatabaseWrapper] = WeakSet()
        """Connections that outlived a task, as ``CONN_MAX_AGE`` lets them."""

    def __reduce__(self) -> tuple[type[Tending], tuple[object]]:
        return Tending, (self._backend,)

    @hookimpl
    def taskkit_handling(
        self,
    ) -> AbstractContextManager[None] | AbstractAsyncContextManager[None] | None:
        """Return what is entered around the handling of a claim, on its thread or loop."""
        if is_on_loop():
            return self._tended_async()
        # A task that is run in place (eager, or by a test) finds the connections of its caller,
        # perhaps in the middle of a transaction, which Django would end by closing them.
        return None if current_task().thread is None else self._tended()

    @hookimpl
    def taskkit_worker_start(self) -> None:
        """Hold on to the connections of workers."""
        house = house_of(self._backend)
        if house is not None:
            house.work()

    @hookimpl
    def taskkit_worker_stop(self) -> None:
        """Close what threads that end now would leave open."""
        kept = list(self._kept)
        self._kept.clear()
        for connection in kept:
            # A task that its worker has not waited for may be in the middle of a transaction.
            close_foreign(connection)
        house = house_of(self._backend)
        if house is not None:
            house.rest()

    @contextmanager
    def _tended(self) -> Iterator[None]:
        _begin()
        _tended.tasks += 1
        try:
            yield
        finally:
            _tended.tasks -= 1
            self._close()

    @asynccontextmanager
    async def _tended_async(self) -> AsyncIterator[None]:
        # In the thread in which sync_to_async runs what is not async, the ORM among it.
        await sync_to_async(_begin)()
        try:
            yield
        finally:
            await sync_to_async(self._close)()

    def _close(self) -> None:
        close_old_connections()
        for connection in connections.all(initialized_only=True):
            if connection.connection is not None:
                self._kept.add(connection)


def _begin() -> None:
    suspect()
    close_old_connections()


def is_on_loop() -> bool:
    """Return whether the calling thread runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def listen() -> None:
    """Learn when requests begin and end: Django closes connections after each."""
    request_started.connect(_begun, dispatch_uid="taskkit")
    request_finished.connect(_ended, dispatch_uid="taskkit")


def _begun(**_details: Any) -> None:
    _tended.request = True


def _ended(**_details: Any) -> None:
    _tended.request = False
