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
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from taskkit.worker.forked import end_with, flush_output, running_threads
from taskkit.worker.heap import trim_heap
from taskkit.worker.inheritance import fork
from taskkit.worker.launch import Payload, ignore_terminal, load, settle_in, why
from taskkit.worker.line import Line
from taskkit.worker.messages import Birth, Exited, LoadFailed, Order, Ready, Started, Unsafe
from taskkit.worker.nursery import Nursery

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


@dataclass(frozen=True, slots=True)
class _Child:
    """Whose child a process is: who is told of its end, under which number."""

    number: int
    owner: Line


class _Template:
    def __init__(self, kit: Kit, line: Line) -> None:
        self._kit = kit
        self._line = line
        self._nurseries: list[Line] = []
        """A line to each worker, which may want children too (``worker/nursery.py``)."""
        self._children: dict[int, _Child] = {}
        """By pid."""

    def serve(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        ignore_terminal()
        self._bell, self._ringer = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._ringer, False)
        # A handler of its own, because only a handled signal rings; and what user code set at
        # import is not to be called for children that are not its own.
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._ringer, warn_on_full_buffer=False)
        preload(self._kit)
        # Frozen objects are not visited by the collector, so that it does not write to their
        # pages, and these stay shared.
        gc.collect()
        trim_heap()
        gc.freeze()
        self._line.send(Ready())
        while not self._line.ended:
            self._wait()
            self._reap()
            for nursery in self._nurseries:
                for birth in nursery.receive():
                    self._fork(birth, nursery)
            for order in self._line.receive():
                self._fork(order, self._line)
            self._close_ended_nurseries()

    def _wait(self) -> None:
        # Not `select`, which refuses descriptors from 1024 on; not an epoll, which a fork shares.
        sources = select.poll()
        sources.register(self._bell, select.POLLIN)
        for line in (self._line, *self._nurseries):
            sources.register(line, select.POLLIN)
        sources.poll()
        with suppress(BlockingIOError):
            os.read(self._bell, 4096)

    def _reap(self) -> None:
        # Only its own: user code may wait for processes that it started at import.
        for pid, child in list(self._children.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._children[pid]
                child.owner.send(Exited(child.number, os.waitstatus_to_exitcode(status)))

    def _close_ended_nurseries(self) -> None:
        for nursery in self._nurseries:
            if nursery.ended:
                nursery.close()
        self._nurseries = [nursery for nursery in self._nurseries if not nursery.ended]

    # ---- forking

    def _fork(self, order: Order | Birth, owner: Line) -> None:
        descriptor = owner.file()
        threads = running_threads()
        if threads:
            os.close(descriptor)
            self._line.send(Unsafe(threads))
            owner.send(Exited(order.number, 1))
            return
        nursery, worker_end = Line.pair()
        flush_output()
        pid = fork()
        if pid == 0:
            nursery.close()
            end_with(lambda: self._become(order, descriptor, Line(worker_end)))
        os.close(descriptor)
        worker_end.close()
        if isinstance(order, Order):
            self._nurseries.append(nursery)
        else:
            nursery.close()
        self._children[pid] = _Child(order.number, owner)
        owner.send(Started(order.number, pid))

    def _become(self, order: Order | Birth, descriptor: int, nursery: Line) -> int:
        self._let_go()
        line = Line(socket.socket(fileno=descriptor))
        if isinstance(order, Order):
            from taskkit.worker.process import obey

            return obey(self._kit, order, line, Nursery(nursery))
        from taskkit.worker.child import run_job

        nursery.close()
        return run_job(self._kit.handler, line)

    def _let_go(self) -> None:
        """Drop what is the template's, and would hold others' lines open or take its signals."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._ringer)
        os.close(self._bell)
        for line in (self._line, *self._nurseries):
            line.close()


def preload(kit: Kit) -> None:
    """Import here, for all, what each worker would import for itself."""
    import_module("taskkit.worker.process")
    import_module("taskkit.worker.runtime")
    import_module("taskkit.worker.services")
    import_module("taskkit.schedule.scheduler")
    # The interpreter itself imports these when a host is looked up, or a package's file is read.
    import_module("encodings.idna")
    import_module("importlib.readers")
    for part in (kit.backend, kit.handler):
        # Optional: what a backend or a handler imports only when it is first used.
        load_more = getattr(part, "preload", None)
        if load_more is not None:
            load_more()


if __name__ == "__main__":
    # By its full name: the program that `main` imports takes the name `__main__` over.
    from taskkit.worker.template import main as serve

    serve(int(sys.argv[1]))
