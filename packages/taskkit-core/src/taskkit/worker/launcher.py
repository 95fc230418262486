"""The supervisor's side of starting processes: forked from a template, or each in an interpreter.

SQLAlchemy and a typical application cost 40 MB and more a process. Forked from one template that
has loaded them, workers share those pages, and start in milliseconds. A fork copies only the
thread that forks, with all locks as they are, so it is safe only in a process that never had a
second thread: hence a template process of its own instead of the user's program, and a fresh
interpreter for each worker where the user's imports start threads.

Not ``multiprocessing``: its resource tracker is a process more, and its children run an unguarded
main program again and again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from taskkit.worker.forked import Process, fork_template, running_threads
from taskkit.worker.launch import QUIET, KitReference, Payload
from taskkit.worker.line import Line
from taskkit.worker.messages import Exited, LauncherEvent, Order, Ready, Started

if TYPE_CHECKING:
    import socket

_REAP_TIMEOUT: Final = 5.0
"""Seconds that a template gets to end once it was told to; it has nothing to finish."""
_AHEAD: Final = 16
"""Orders that a template gets before it has answered any: with many hundreds on their way both
sockets would be full, and each side would wait for the other to read."""


class Launcher(Protocol):
    """Starts processes and tells how they fare."""

    @property
    def line(self) -> Line | None:
        """Something to ``select`` on, readable when there are events; None: look often."""
        ...

    @property
    def alive(self) -> bool:
        """False: it starts nothing more, and no longer learns how its processes end."""
        ...

    @property
    def ready(self) -> bool:
        """Whether it has loaded what it starts processes from."""
        ...

    def launch(self, order: Order, near: Line, far: socket.socket) -> None:
        """Start a process at the far end of the line ``near``; ``far`` is closed here."""
        ...

    def events(self) -> Sequence[LauncherEvent]:
        """Return what happened since the last call; never blocks."""
        ...

    def take_unsent(self) -> list[Order]:
        """Give back the orders that no process was started for, their sockets closed."""
        ...

    def take_back(self, number: int) -> bool:
        """Forget one order, if no process was started for it, and return whether that is so."""
        ...

    def close(self) -> None:
        """End what belongs to the launcher; the processes that it started go on."""
        ...


class TemplateLauncher:
    """Starts workers by asking a template process to fork (``taskkit.worker.template``)."""

    def __init__(self, payload: Payload) -> None:
        self.line, far = Line.pair()
        self._process = start_template(payload, far)
        self._unsent: deque[tuple[Order, socket.socket]] = deque()
        self._unanswered: set[int] = set()
        self.alive = self.line.send(payload)
        self.ready = False

    def launch(self, order: Order, near: Line, far: socket.socket) -> None:  # noqa: ARG002 - the protocol's parameter
        """Ask for a fork, or keep the order until the kit is loaded."""
        self._unsent.append((order, far))
        self._send()

    def events(self) -> list[LauncherEvent]:
        """Return what the template has reported."""
        events: list[LauncherEvent] = self.line.receive() if self.alive else []
        for event in events:
            if isinstance(event, Ready):
                self.ready = True
            elif isinstance(event, Started | Exited):
                self._unanswered.discard(event.number)
        self._send()
        if self.line.ended:
            self.alive = False
        return events

    def take_unsent(self) -> list[Order]:
        """Give back what was not sent yet."""
        orders = [order for order, _ in self._unsent]
        while self._unsent:
            self._unsent.popleft()[1].close()
        return orders

    def take_back(self, number: int) -> bool:
        """Forget an order that was not sent yet."""
        for entry in self._unsent:
            if entry[0].number == number:
                self._unsent.remove(entry)
                entry[1].close()
                return True
        return False

    def close(self) -> None:
        """End the template; it goes by itself when its line ends, unless user code hangs in it."""
        if self._process.returncode is not None:
            return
        self.alive = False
        self.take_unsent()
        self.line.close()
        if not self.ready:
            self._process.kill()
        try:
            self._process.wait(_REAP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self) -> None:
        while self._may_send():
            order, far = self._unsent.popleft()
            self._unanswered.add(order.number)
            # A failure shows as the end of the template's line.
            self.line.send(order, far.fileno())
            far.close()

    def _may_send(self) -> bool:
        takes = self.ready and not self.line.ended and len(self._unanswered) < _AHEAD
        return takes and bool(self._unsent)


class InterpreterLauncher:
    """Starts each worker in an interpreter of its own (``taskkit.worker.process``)."""

    line: Line | None = None
    alive = True
    ready = True

    def __init__(self, payload: Payload) -> None:
        self._payload = payload
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._started: list[LauncherEvent] = []

    def launch(self, order: Order, near: Line, far: socket.socket) -> None:
        """Start a fresh interpreter, and tell it down its own line what to do."""
        process = start_interpreter("taskkit.worker.process", far)
        near.send((self._payload, order))
        self._processes[order.number] = process
        self._started.append(Started(order.number, process.pid))

    def events(self) -> list[LauncherEvent]:
        """Return the processes that have started and ended since the last call."""
        events, self._started = self._started, []
        for number, process in list(self._processes.items()):
            status = process.poll()
            if status is not None:
                del self._processes[number]
                events.append(Exited(number, status))
        return events

    def take_unsent(self) -> list[Order]:
        """Give back nothing: each order is carried out at once."""
        return []

    def take_back(self, number: int) -> bool:  # noqa: ARG002 - the protocol's parameter
        """Forget nothing, for the same reason."""
        return False

    def close(self) -> None:
        """Forget the processes."""
        self._processes.clear()


def start_template(payload: Payload, far: socket.socket) -> Process:
    """Start a template process with one end of a line, which is closed here.

    Where this process has loaded nothing of the program and has no second thread, as the command
    line has not, a fork of it is as good as a fresh interpreter, and shares what that would have to
    load again.
    """
    if isinstance(payload.kit, KitReference):
        program = payload.kit.app.partition(":")[0].partition(".")[0]
        if program not in sys.modules and not running_threads():
            return fork_template(far)
    return start_interpreter("taskkit.worker.template", far)


def can_fork() -> bool:
    """Return whether this platform can fork and pass open files."""
    return hasattr(os, "fork") and hasattr(signal, "pthread_sigmask") and Path("/dev/fd").is_dir()


def start_interpreter(module: str, far: socket.socket) -> subprocess.Popen[bytes]:
    """Run ``python -m module`` with one end of a line, which is closed here."""
    # Found even where the program itself found taskkit by changing sys.path. The new process
    # puts the user's own value back before any user code runs.
    home = str(Path(__file__).parents[2])
    given = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": f"{home}{os.pathsep}{given}" if given else home}
    # Ctrl-C reaches the whole foreground group. Until the child has its own handlers, a blocked
    # signal waits instead of killing it; the mask survives exec.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, QUIET)
    try:
        return subprocess.Popen(  # noqa: S603 - this interpreter, and a module of our own
            [sys.executable, "-m", module, str(far.fileno())],
            pass_fds=[far.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        far.close()
