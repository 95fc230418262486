"""The template: a process that loads the kit once and is forked into workers.

It never has a second thread, opens no connection and runs no task. It forks what the supervisor
orders, reaps what ends, and reports both. When the supervisor is gone it ends; its workers notice
that for themselves, by their own lines.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from taskkit.worker.launch import Payload, ignore_terminal, load, settle_in, why
from taskkit.worker.line import Line
from taskkit.worker.messages import (
    Exited,
    LauncherEvent,
    LoadFailed,
    Order,
    Ready,
    Started,
    Unsafe,
)

if TYPE_CHECKING:
    from taskkit.kit import Kit


def main(descriptor: int) -> None:
    """Serve the supervisor at the other end of the line until it is gone."""
    ignore_terminal()
    line = Line(socket.socket(fileno=descriptor))
    payload: Payload | None = line.wait()
    if payload is None:
        return
    settle_in(payload)
    try:
        kit = load(payload)
    except BaseException as error:  # noqa: BLE001 - whatever user code raises is reported
        line.send(LoadFailed(*why(error)))
        return
    threads = running_threads()
    if threads:
        line.send(Unsafe(threads))
        return
    _Template(kit, line).serve()


def running_threads() -> tuple[str, ...]:
    """Return the names of all threads but this one, as far as they have any."""
    named = tuple(t.name for t in threading.enumerate() if t is not threading.current_thread())
    try:
        count = len(os.listdir("/proc/self/task")) - 1  # noqa: PTH208 - no Path for a count
    except OSError:
        return named
    # Threads of C libraries are not Python's, and hold locks just the same.
    return named + ("(not Python's)",) * (count - len(named))


class _Template:
    def __init__(self, kit: Kit, line: Line) -> None:
        self._kit = kit
        self._line = line
        self._numbers: dict[int, int] = {}
        """Order number of each child, by pid."""

    def serve(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ignore_terminal()
        self._bell, ringer = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(ringer, False)
        # A handler of its own, because only a handled signal rings; and what user code set at
        # import is not to be called for children that are not its own.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(ringer, warn_on_full_buffer=False)
        self._preload()
        # Frozen objects are not visited by the collector, so that it does not write to their
        # pages, and these stay shared.
        gc.collect()
        gc.freeze()
        self._report(Ready())
        while not self._line.ended:
            sources: list[Line | int] = [self._line, self._bell]
            readable, _, _ = select.select(sources, [], [])
            if self._bell in readable:
                os.read(self._bell, 4096)
                self._reap()
            if self._line in readable:
                for order in self._line.receive():
                    self._fork(order)

    def _preload(self) -> None:
        """Import here, for all, what each worker would import for itself."""
        import_module("taskkit.worker.process")
        import_module("taskkit.worker.runtime")
        import_module("taskkit.worker.services")
        for part in (self._kit.backend, self._kit.handler):
            # Optional: what a backend or a handler imports only when it is first used.
            preload = getattr(part, "preload", None)
            if preload is not None:
                preload()

    def _report(self, event: LauncherEvent) -> None:
        self._line.send(event)

    def _reap(self) -> None:
        # Only its own: user code may wait for processes that it started at import.
        for pid, number in list(self._numbers.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._numbers[pid]
                self._report(Exited(number, os.waitstatus_to_exitcode(status)))

    def _fork(self, order: Order) -> None:
        descriptor = self._line.file()
        threads = running_threads()
        if threads:
            os.close(descriptor)
            self._report(Unsafe(threads))
            self._report(Exited(order.number, 1))
            return
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become_worker(order, descriptor)
        os.close(descriptor)
        self._numbers[pid] = order.number
        self._report(Started(order.number, pid))

    def _become_worker(self, order: Order, descriptor: int) -> NoReturn:
        from taskkit.worker.process import obey

        status = 1
        try:
            ringer = signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(ringer)
            os.close(self._bell)
            self._line.close()
            status = obey(self._kit, order, Line(socket.socket(fileno=descriptor)))
        finally:
            # Never back into the template's frames, whatever happened.
            os._exit(status)


if __name__ == "__main__":
    # By its full name: the program that `main` imports takes the name `__main__` over.
    from taskkit.worker.template import main as serve

    serve(int(sys.argv[1]))
