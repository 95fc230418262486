"""A thread that sweeps a busy store: beside the work, never in its way.

Some databases keep old versions of rows until somebody clears them away, and by themselves do so
once a minute: too seldom for a queue, whose every task leaves three. So each process that has
been busy looks once a second whether it is time, and sweeps if it is.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from taskkit.errors import BackendError

_SECONDS: Final = 1.0
"""Between two looks."""

_WORTH: Final = 50
"""Transactions between two looks: a process that did less leaves too little behind."""

_IDLE_LOOKS: Final = 5
"""Looks in a row that were not worth it, after which the thread ends."""

_log = logging.getLogger("taskkit.sweeping")


class Sweeper:
    """Sweeps while there is work; ``sweep`` looks whether that is needed, and does it."""

    def __init__(self, sweep: Callable[[], object]) -> None:
        self._sweep = sweep
        self.reset()

    def reset(self) -> None:
        """Begin anew, in the child after a fork."""
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._worked = 0

    def worked(self) -> None:
        """Count a transaction."""
        # Not under the lock: a count that is off by a few is as good.
        self._worked += 1
        if self._worked < _WORTH or self._thread is not None or self._closing.is_set():
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(self._closing,), name="taskkit-sweeper", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """End the thread; what it sweeps at this moment is finished first."""
        self._closing.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)

    def _run(self, closing: threading.Event) -> None:
        idle = 0
        while idle < _IDLE_LOOKS and not closing.wait(_SECONDS):
            idle = 0 if self._worked >= _WORTH else idle + 1
            if idle == 0:
                self._worked = 0
                self._look()
        self._thread = None

    def _look(self) -> None:
        try:
            self._sweep()
        except BackendError as error:
            # The store is away, or this user may not sweep: the work itself says so if it matters.
            _log.debug("could not sweep: %s", error)
