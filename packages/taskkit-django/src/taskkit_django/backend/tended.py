"""Whether somebody closes a thread's connections in good time."""

from __future__ import annotations

import threading
from typing import Final


class _Tended(threading.local):
    """Who will close this thread's connections."""

    tasks = 0
    """Of how many tasks, one inside the other, this is the thread."""
    request = False


tended: Final = _Tended()


def is_tended() -> bool:
    """Return whether this thread's connections are closed after a task or a request.

    The main thread's are the program's own business, as always in Django.
    """
    is_main = threading.current_thread() is threading.main_thread()
    return is_main or tended.tasks > 0 or tended.request
