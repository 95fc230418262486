"""A template that is a fork of the supervisor, where the supervisor is as good as new.

A fresh interpreter would load once more what the supervisor has loaded. It is done only where the
supervisor has no second thread and nothing of the user's program: see ``start_template`` in
``launcher.py``. How such a process ends, and the workers that a template forks, stands here too.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from taskkit.clock import monotonic, sleep
from taskkit.worker.inheritance import forget_withheld, fork
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
    flush_output()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, QUIET)
    try:
        pid = fork()
        if pid == 0:
            end_with(lambda: _become_template(far.detach()))
        return _Forked(pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        far.close()


def end_with(work: Callable[[], int]) -> NoReturn:
    """Do what this fork is for, then end it with the status that this returns.

    What it raises is told on stderr and ends the process with 1, as it would end an interpreter;
    SystemExit too, because nothing in these processes is meant to raise it.
    """
    status = 1
    try:
        status = work()
    except BaseException as error:  # noqa: BLE001 - told, and the process ends
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        # Never back into the frames that were forked, whatever happened.
        try:
            flush_output()
        finally:
            os._exit(status)


def flush_output() -> None:
    """Write what was printed: a fork would write it again, and ``os._exit`` not at all."""
    for stream in (sys.stdout, sys.stderr):
        # None in a process that was started without; or closed, at either end.
        with suppress(AttributeError, ValueError, OSError):
            stream.flush()


def _become_template(descriptor: int) -> int:
    # Handlers of the supervisor's; what comes before the template ignores it ends the process.
    for number in QUIET:
        signal.signal(number, signal.SIG_DFL)
    _close_all_but(descriptor)
    from taskkit.worker.template import main

    main(descriptor)
    return 0


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
    forget_withheld()


class _Forked:
    """A child that this process has forked."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        if timeout is None:
            self._has_ended(0)
        else:
            deadline = monotonic() + timeout
            while not self._has_ended(os.WNOHANG):
                if monotonic() >= deadline:
                    raise subprocess.TimeoutExpired("the template process", timeout)
                sleep(_LOOK_EVERY)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        # Once it has been waited for, by whomever, its number may be somebody else's.
        if not self._has_ended(os.WNOHANG):
            os.kill(self._pid, signal.SIGKILL)

    def _has_ended(self, options: int) -> bool:
        if self.returncode is not None:
            return True
        try:
            ended, status = os.waitpid(self._pid, options)
        except ChildProcessError:
            # Whoever started this process may have had SIGCHLD ignored: then the system waits.
            ended, status = self._pid, 0
        if ended:
            self.returncode = os.waitstatus_to_exitcode(status)
        return bool(ended)
