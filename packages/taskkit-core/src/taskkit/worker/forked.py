"""A template that is a fork of the supervisor, where the supervisor is as good as new.

A fresh interpreter would load once more what the supervisor has loaded. It is done only where the
supervisor has no second thread and nothing of the user's program: see ``start_template`` in
``launcher.py``.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from taskkit.clock import monotonic, sleep
from taskkit.worker.launch import QUIET

if TYPE_CHECKING:
    import socket

_LOOK_EVERY: Final = 0.005
"""Seconds between looks whether a process has ended."""


class Process(Protocol):
    """A child process, as ``subprocess.Popen`` has it."""

    @property
    def returncode(self) -> int | None:
        """How it has ended, as far as anybody has waited for it."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; raises ``subprocess.TimeoutExpired``."""
        ...

    def kill(self) -> None:
        """Send SIGKILL, unless it is known to have ended."""
        ...


def running_threads() -> tuple[str, ...]:
    """Return the names of all threads but this one, as far as they have any."""
    named = tuple(t.name for t in threading.enumerate() if t is not threading.current_thread())
    try:
        count = len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 - no Path for a count
    except OSError:
        return named
    # Threads of C libraries are not Python's, and hold locks just the same.
    return named + ("(not Python's)",) * (count - len(named))


def fork_template(far: socket.socket) -> Process:
    """Fork this process into a template at one end of a line, which is closed here."""
    # The collector writes to each object that it visits; what is frozen stays shared.
    gc.freeze()
    sys.stdout.flush()
    sys.stderr.flush()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, QUIET)
    try:
        pid = os.fork()
        if pid == 0:
            _become_template(far.detach())
        return _Forked(pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        far.close()


def _become_template(descriptor: int) -> NoReturn:
    status = 1
    try:
        # Handlers of the supervisor's; what comes before the template ignores it ends the process.
        for number in QUIET:
            signal.signal(number, signal.SIG_DFL)
        _close_all_but(descriptor)
        from taskkit.worker.template import main

        main(descriptor)
        status = 0
    finally:
        # Never back into the supervisor's frames, whatever happened.
        sys.stderr.flush()
        os._exit(status)


def _close_all_but(descriptor: int) -> None:
    """Close what an exec would have closed: above all the supervisor's ends of its lines.

    Held open here, they would hide the supervisor's death from its workers. The objects that own
    them are never freed, because this process never leaves the frames that it was forked in.
    """
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - no Path for names that are numbers
        if int(name) > 2 and int(name) != descriptor:
            with suppress(OSError):  # the one that the listing itself was read from
                os.close(int(name))


class _Forked:
    """A child that this process has forked."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else monotonic() + timeout
        while self.returncode is None:
            try:
                ended, status = os.waitpid(self._pid, 0 if deadline is None else os.WNOHANG)
            except ChildProcessError:
                # Whoever started this process may have had SIGCHLD ignored: then the system waits.
                ended, status = self._pid, 0
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif deadline is not None:
                if timeout is not None and monotonic() >= deadline:
                    raise subprocess.TimeoutExpired("the template process", timeout)
                sleep(_LOOK_EVERY)
        return self.returncode

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self._pid, signal.SIGKILL)
