"""Django's connections around tasks: none is left open that the settings want closed.

A connection of Django belongs to a thread, and is closed at the end of a request if it is older
than ``CONN_MAX_AGE`` or broken. A task is to a worker's thread what a request is to a server's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from typing import Any

from asgiref.sync import sync_to_async
from django.core.signals import request_finished, request_started, setting_changed
from django.db import close_old_connections

from taskkit.plugins import hookimpl


class _Tended(threading.local):
    """Whether somebody will close this thread's connections."""

    depth = 0


_tended = _Tended()


def is_tended() -> bool:
    """Return whether somebody closes this thread's connections in good time.

    The main thread's are the program's own business, as always in Django.
    """
    return _tended.depth > 0 or threading.current_thread() is threading.main_thread()


class Tending:
    """The plugin of a kit that closes old connections around every task."""

    @hookimpl
    def taskkit_handling(
        self,
    ) -> AbstractContextManager[None] | AbstractAsyncContextManager[None]:
        """Return what is entered around the handling of a claim, on its thread or loop."""
        return tended_async() if is_on_loop() else tended()


def is_on_loop() -> bool:
    """Return whether the calling thread runs an event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@contextmanager
def tended() -> Iterator[None]:
    """Close old connections of this thread before and after."""
    close_old_connections()
    _tended.depth += 1
    try:
        yield
    finally:
        _tended.depth -= 1
        close_old_connections()


@asynccontextmanager
async def tended_async() -> AsyncIterator[None]:
    """Close old connections of the thread in which ``sync_to_async`` runs what is not async."""
    close = sync_to_async(close_old_connections)
    await close()
    try:
        yield
    finally:
        await close()


def listen() -> None:
    """Learn when requests begin and end, and when a test changes settings."""
    from taskkit_django.kit import forget_kit

    request_started.connect(_begun, dispatch_uid="taskkit")
    request_finished.connect(_ended, dispatch_uid="taskkit")
    setting_changed.connect(forget_kit, dispatch_uid="taskkit")


def _begun(**_details: Any) -> None:
    _tended.depth = 1


def _ended(**_details: Any) -> None:
    _tended.depth = 0
