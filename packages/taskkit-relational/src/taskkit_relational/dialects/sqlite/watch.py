"""When it is worth looking whether another process has committed.

``PRAGMA data_version`` tells for certain, but only when asked, and a thread that wakes 80 times a
second to ask costs more than the question. On Linux the kernel says when SQLite's log is written
to (inotify), so an idle process sleeps; elsewhere, or where that turns out to miss commits (some
network and container file systems), it is asked at intervals.
"""

from __future__ import annotations

import ctypes
import os
import select
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Protocol

from taskkit.clock import monotonic, sleep

_IDLE_SECONDS: Final = 0.012
_BUSY_SECONDS: Final = 0.003
"""Between two looks; the second for a moment after something has happened."""
_BUSY_FOR_SECONDS: Final = 0.03

_AFTER_WRITE_SECONDS: Final = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128)
"""When to look again after a write: it may be the beginning of a commit that ends later."""
_SAFETY_SECONDS: Final = 1.0
"""Looks without any sign, to find out that signs do not arrive."""

_IN_MODIFY: Final = 2


class Watch(Protocol):
    """Tells one thread when it is worth looking again."""

    def rest(self, changed: bool) -> None:
        """Sleep until then; ``changed`` is what the last look found."""
        ...

    def interrupt(self) -> None:
        """End a rest, from another thread; after ``close`` it does nothing."""
        ...

    def close(self) -> None:
        """Let go of what it holds; the last call."""
        ...


def watch_log(path: str) -> Watch:
    """Return the best watch for a database's log, which must exist."""
    try:
        return LogWatch(path + "-wal")
    except (OSError, AttributeError):  # no such file system feature; no such system
        return IntervalWatch()


class IntervalWatch:
    """Looks at intervals."""

    def __init__(self) -> None:
        self._busy_until = 0.0

    def rest(self, changed: bool) -> None:
        """Sleep, for a shorter time when something has just happened."""
        now = monotonic()
        if changed:
            self._busy_until = now + _BUSY_FOR_SECONDS
        sleep(_BUSY_SECONDS if now < self._busy_until else _IDLE_SECONDS)

    def interrupt(self) -> None:
        """End a rest: it is over soon enough."""

    def close(self) -> None:
        """Nothing is held."""


class LogWatch:
    """Sleeps until the log is written to."""

    def __init__(self, path: str) -> None:
        """Begin to watch a file.

        Raises:
            OSError: the system does not let us.
            AttributeError: the system has no inotify.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        self._log = _checked(libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        try:
            _checked(libc.inotify_add_watch(self._log, os.fsencode(path), _IN_MODIFY))
            self._interruption = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        except BaseException:
            os.close(self._log)
            raise
        self._closing = threading.Lock()
        self._closed = False
        self._poll = select.poll()
        self._poll.register(self._log, select.POLLIN)
        self._poll.register(self._interruption, select.POLLIN)
        self._pauses: Iterator[float] = iter(())
        self._written = 0.0
        self._silent = False
        self._fallback: IntervalWatch | None = None

    def rest(self, changed: bool) -> None:
        """Sleep until a write, or until it is time to look again after one."""
        if changed and self._silent:
            # A commit that gave no sign: this file system does not tell of others' writes.
            self._fallback = IntervalWatch()
        if self._fallback is not None:
            self._fallback.rest(changed)
            return
        pause = next(self._pauses, None)
        seconds = _SAFETY_SECONDS if pause is None else pause
        if self._poll.poll(seconds * 1000):
            if monotonic() - self._written < _BUSY_FOR_SECONDS:
                sleep(_BUSY_SECONDS)  # many commits in a row are worth one look
            self._drain()
            self._written = monotonic()
            self._pauses = iter(_AFTER_WRITE_SECONDS)
            self._silent = False
        else:
            self._silent = pause is None

    def _drain(self) -> None:
        for descriptor in (self._log, self._interruption):
            with suppress(BlockingIOError):
                os.read(descriptor, 65536)

    def interrupt(self) -> None:
        """End a rest at once."""
        # Whoever interrupts may have found this watch just before it was closed, and the number of
        # a closed descriptor is soon another file's.
        with self._closing:
            if not self._closed:
                os.eventfd_write(self._interruption, 1)

    def close(self) -> None:
        """Let go of the descriptors."""
        with self._closing:
            self._closed = True
            os.close(self._log)
            os.close(self._interruption)


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
