"""Whether somebody closes a thread's connections in good time."""

from __future__ import annotations

import threading
from typing import Final

from django.db import connections


class _Tended(threading.local):
    """Who will close this thread's connections."""

    tasks = 0
    """Of how many tasks, one inside the other, this is the thread."""
    request = False
    itself = False
    """Whether this thread closes its last one itself."""
    losses = 0
    """Of how many lost connections this thread has drawn the consequence."""


tended: Final = _Tended()


class _Lost:
    """Connections to the store that turned out to be dead, in this process."""

    count = 0


lost: Final = _Lost()


def suspect() -> None:
    """Have Django look at this thread's connections once more if one to the store was lost.

    The server may have been started anew, which kills those that ``CONN_MAX_AGE`` keeps, too; and
    a task that finds such a one fails. Its worker cannot have claimed it without having noticed.
    """
    if tended.losses == lost.count:
        return
    tended.losses = lost.count
    for connection in connections.all(initialized_only=True):
        # Django then asks the server before it keeps the connection.
        connection.errors_occurred = True


def is_tended() -> bool:
    """Return whether this thread's connections are closed after a task or a request.

    The main thread's are the program's own business, as always in Django.
    """
    is_main = threading.current_thread() is threading.main_thread()
    return is_main or tended.tasks > 0 or tended.request
