"""A worker's process: one ``WorkerRuntime``, the line to its supervisor, and its signals.

Ways to stop it, each idempotent, the stronger one wins: a message of the supervisor; SIGTERM to
this process (the second releases at once); the end of the line, which means that the supervisor is
gone. Ctrl-C is the supervisor's alone.
"""

from __future__ import annotations

import atexit
import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from taskkit.clock import monotonic, sleep
from taskkit.errors import BackendError, SchemaMismatch, TaskkitError
from taskkit.records import Outcome, Query, Settlement
from taskkit.task import State
from taskkit.worker import inheritance
from taskkit.worker.forked import flush_output
from taskkit.worker.launch import ignore_terminal, load, settle_in, unpack, why
from taskkit.worker.line import Line
from taskkit.worker.messages import (
    Ending,
    Force,
    Goodbye,
    Isolated,
    Leaving,
    Named,
    Order,
    Registered,
    StartFailed,
)
from taskkit.worker.options import PartialSettings

if TYPE_CHECKING:
    from taskkit.kit import Kit
    from taskkit.settings import WorkerSettings
    from taskkit.worker.nursery import Nursery
    from taskkit.worker.runtime import ExitReason, WorkerRuntime

_log = logging.getLogger("taskkit.worker")

LINGER: Final = 3600.0
"""Seconds that a recycled worker gets to finish what it runs: its successor already works."""
EXIT_MARGIN: Final = 3.0
"""Seconds beyond the grace that releasing and retiring may take; then the process ends anyway."""
_FOREVER: Final = 86_400.0
"""The grace that the runtime is given: this file keeps the time, so that it can be shortened."""
_RETRY: Final = 0.25


def main(descriptor: int) -> None:
    """Be a worker in a fresh interpreter; what to do comes down the line."""
    ignore_terminal()
    line = Line(socket.socket(fileno=descriptor))
    told = line.wait()
    if told is None:
        return
    payload, order = told
    settle_in(payload)
    try:
        kit = load(payload)
    except BaseException as error:  # noqa: BLE001 - whatever user code raises is reported
        line.send(StartFailed(*why(error)))
        return
    # Not by returning: a thread that never ends would keep the interpreter alive.
    os._exit(obey(kit, order, line))


def obey(kit: Kit, order: Order, line: Line, nursery: Nursery | None = None) -> int:
    """Carry out an order and return the exit status of the process.

    Args:
        kit: The kit, loaded.
        order: What to do.
        line: To the supervisor.
        nursery: Where children for single claims are forked, if they can be.
    """
    ignore_terminal()
    if order.lost is not None:
        return _retire(kit, order.lost, order.suspects)
    try:
        told: WorkerSettings | PartialSettings = unpack(order.settings)
        settings = told.complete(kit) if isinstance(told, PartialSettings) else told
    except TaskkitError as error:
        line.send(StartFailed(*why(error), final=True))
        return 1
    status = _Worker(kit, settings, line, nursery).run()
    # What the user's code registered is owed to it, here as in any process that ends.
    atexit._run_exitfuncs()  # noqa: SLF001 - as multiprocessing does in its forks
    flush_output()
    return status


def _retire(kit: Kit, worker_id: str, suspects: Collection[str]) -> int:
    """Requeue what a dead worker ran; after a lease the others do it anyway."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    deadline = monotonic() + kit.lease
    while True:
        try:
            _pardon(kit, worker_id, suspects)
            tasks = kit.backend.retire(worker_id, lost=True)
        except SchemaMismatch:
            return 1  # nobody can have registered there; and waiting does not make tables
        except BackendError:
            if monotonic() >= deadline:
                return 1
            sleep(_RETRY)
        else:
            _log.info("retired worker %s, which died with %d tasks", worker_id, tasks)
            return 0


def _pardon(kit: Kit, worker_id: str, suspects: Collection[str]) -> None:
    """Release the tasks that were lost before: they were to run in children of their own.

    So they did not kill this worker, and three kills from outside do not make them poison. After
    this, retiring the worker counts a loss only for those that ran beside each other in it.
    """
    running, after = Query(states={State.RUNNING}), None
    while True:
        page = kit.backend.find(running, 1000, after)
        innocent = [
            Settlement(record.task.id, record.token, Outcome.RELEASE, due=None)
            for record in page.records
            if record.worker_id == worker_id and record.losses and record.task.id not in suspects
        ]
        if innocent:
            kit.backend.settle(worker_id, innocent)
        after = page.next
        if after is None:
            return


class _Worker:
    def __init__(
        self, kit: Kit, settings: WorkerSettings, line: Line, nursery: Nursery | None
    ) -> None:
        self._kit = kit
        self._nursery = nursery
        self._settings = settings
        self._line = line
        self._bell, self._ringer = inheritance.withheld_pair()
        self._runtime: WorkerRuntime | None = None
        self._lock = threading.Lock()
        """Held to read and change what follows, and the runtime, together."""
        self._force = Force.NONE
        self._release_at: float | None = None
        self._exit_at: float | None = None

    def run(self) -> int:
        self._listen_to_signals()
        threading.Thread(target=self._listen, name="taskkit line", daemon=True).start()
        try:
            self._start()
        except BaseException as error:  # noqa: BLE001 - reported, and the process ends
            self._line.send(StartFailed(*why(error)))
            return 1
        assert self._runtime is not None
        ending = _ending_of(self._runtime.wait())
        if ending is Ending.RECYCLED:
            self._line.send(Leaving())
            self._stop(Force.GRACEFUL, LINGER)
        self._runtime.join()
        # Here, because the exit functions of the user's code may hang as well as anything.
        self._exit_at = monotonic() + EXIT_MARGIN
        self._ringer.send(b"\0")
        self._line.send(Goodbye(ending))
        return 0

    def _start(self) -> None:
        from taskkit.worker.runtime import WorkerRuntime

        kit = self._kit
        runtime = WorkerRuntime(
            kit.backend,
            kit.handler,
            kit.hooks,
            self._settings,
            nursery=self._nursery,
            on_isolated=lambda *claim: self._line.send(Isolated(*claim)),
        )
        self._line.send(Named(runtime.worker_id))
        runtime.start()
        with self._lock:
            self._runtime = runtime
            force = self._force
        self._line.send(Registered())
        for _ in range(force):
            runtime.stop(_FOREVER)

    # ---- the thread that listens

    def _listen_to_signals(self) -> None:
        # The handler runs in the main thread, which may hold any of the runtime's locks; so it
        # does nothing, and the number of the signal goes to the thread that listens.
        inheritance.answer(signal.SIGTERM, lambda *_: None)
        inheritance.ring(self._ringer)

    def _listen(self) -> None:
        # Not `select`, which refuses descriptors from 1024 on.
        sources = select.poll()
        bell, line = self._bell.fileno(), self._line.fileno()
        for source in (bell, line):
            sources.register(source, select.POLLIN)
        signals = 0
        while True:
            readable = {source for source, _ in sources.poll(self._patience())}
            if bell in readable:
                signals += self._bell.recv(512).count(signal.SIGTERM)
                self._stop(Force(min(signals, Force.RELEASE)), self._settings.grace)
            if line in readable:
                for message in self._line.receive():
                    self._stop(message.force, message.grace)
                if self._line.ended:
                    sources.unregister(line)
                    _log.warning("the supervisor is gone; stopping")
                    self._stop(Force.GRACEFUL, self._settings.grace)
            self._keep_time()

    def _patience(self) -> float | None:
        """Return for how many milliseconds to listen: until the next instant to keep."""
        release_at = None if self._force >= Force.RELEASE else self._release_at
        moments = [at for at in (release_at, self._exit_at) if at is not None]
        if not moments:
            return None
        # `poll` refuses more than 24 days.
        return max(min(min(moments) - monotonic(), _FOREVER), 0.0) * 1000

    def _keep_time(self) -> None:
        now = monotonic()
        if self._release_at is not None and now >= self._release_at:
            self._stop(Force.RELEASE, 0.0)
        if self._exit_at is not None and now >= self._exit_at:
            _log.error("worker did not end in time; its process ends with threads still running")
            os._exit(1)

    # ---- stopping

    def _stop(self, force: Force, grace: float) -> None:
        """Stop at least so hard, at least so soon."""
        if force is Force.NONE:
            return
        with self._lock:
            if force >= Force.RELEASE or self._runtime is None:
                grace = 0.0
            release_at = monotonic() + grace
            if self._release_at is None or release_at < self._release_at:
                self._release_at = release_at
                self._exit_at = release_at + EXIT_MARGIN
            steps = max(force - self._force, 0)
            self._force = max(self._force, force)
            runtime = self._runtime
        if runtime is not None:
            for _ in range(steps):
                runtime.stop(_FOREVER)


def _ending_of(reason: ExitReason) -> Ending:
    # A stuck thread ends with its process, and nothing else was wrong with the worker.
    return Ending.RECYCLED if reason.value == "stuck" else Ending(reason.value)


if __name__ == "__main__":
    # By its full name: the program that `main` imports takes the name `__main__` over.
    from taskkit.worker.process import main as work

    work(int(sys.argv[1]))
