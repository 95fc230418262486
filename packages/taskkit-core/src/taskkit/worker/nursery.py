"""Child processes for single claims, forked by the template at the request of a worker.

Much cheaper than a fresh interpreter, and that counts: when a worker dies, everything that it ran
is run in a child at once. The worker itself must not fork, because it has threads.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING, Final

from taskkit.worker.messages import Birth, Exited, Started

if TYPE_CHECKING:
    import socket

    from taskkit.worker.line import Line

START_TIMEOUT: Final = 10.0
"""Seconds for a fork; a template that takes longer is stopped or starved, or is gone."""


class ForkedProcess:
    """A child of the template; the part of ``subprocess.Popen`` that its worker needs."""

    def __init__(self) -> None:
        self.pid: int | None = None
        self.status: int | None = None
        self.started = threading.Event()
        """Set too when it never will be."""
        self.ended = threading.Event()

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status; 1 if the template is gone, so that nobody knows."""
        if not self.ended.wait(timeout):
            raise TimeoutExpired("a forked child", timeout or 0.0)
        return 1 if self.status is None else self.status

    def kill(self) -> None:
        """Kill the process; it is no error if it has ended."""
        if self.pid is not None and not self.ended.is_set():
            # Between its end, which the template sees, and the template's report there is a gap.
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


class Nursery:
    """A worker's line to its template. Thread-safe."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._lock = threading.Lock()
        self._children: dict[int, ForkedProcess] = {}
        self._births = 0
        self._listens = False
        self.alive = True
        """Whether the template may still fork; once false, it stays so."""

    def fork(self, far: socket.socket) -> ForkedProcess:
        """Start a child at the far end of a line, which is closed here.

        Raises:
            OSError: the template cannot fork any more.
        """
        child = ForkedProcess()
        with self._lock:
            self._births += 1
            number = self._births
            self._children[number] = child
            if not self._listens:
                self._listens = True
                threading.Thread(target=self._listen, name="taskkit nursery", daemon=True).start()
        sent = self.alive and self._line.send(Birth(number), far.fileno())
        far.close()
        if not sent or not child.started.wait(START_TIMEOUT) or child.pid is None:
            self.alive = False
            raise OSError("the template process does not fork any more")
        return child

    def _listen(self) -> None:
        while (message := self._line.wait()) is not None:
            child = self._children[message.number]
            if isinstance(message, Started):
                child.pid = message.pid
                child.started.set()
            elif isinstance(message, Exited):
                child.status = message.status
                self._forget(message.number)
        self.alive = False
        for number in list(self._children):
            self._forget(number)

    def _forget(self, number: int) -> None:
        with self._lock:
            child = self._children.pop(number)
        child.ended.set()
        child.started.set()
