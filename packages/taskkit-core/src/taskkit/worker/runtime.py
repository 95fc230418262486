"""Everything inside one worker process: its threads, put together, and the way it ends.

Knows nothing of processes and signals; ``worker/process.py`` does.

One thread of its own, the runtime's, does what must not block and must not be forgotten: it takes
requests to stop, looks at deadlines and limits, and ends the parts in their order. Requests come
through a ``SimpleQueue``, whose ``put`` is safe even in a signal handler that has interrupted the
very thread that waits.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from dataclasses import dataclass
from enum import StrEnum
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

from taskkit import __version__
from taskkit.clock import monotonic
from taskkit.errors import BackendError
from taskkit.groups import covered
from taskkit.hooks import run_awaitable
from taskkit.ids import new_uuid7
from taskkit.records import WorkerInfo
from taskkit.task import State
from taskkit.worker.outage import Patience
from taskkit.worker.parts import Parts
from taskkit.worker.recycling import INTERVAL

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.handler import TaskHandler
    from taskkit.hooks import Hooks
    from taskkit.settings import WorkerSettings
    from taskkit.worker.isolation import OnIsolated
    from taskkit.worker.nursery import Nursery

SETTLE_TIMEOUT: Final = 2.0
"""Seconds beyond the grace for settling and retiring; what is left then is left to the lease."""

DRAIN_INTERVAL: Final = 0.5
"""Seconds between looks whether other workers still run what may put more work."""

PART_TIMEOUT: Final = 0.5
"""Seconds to wait for a thread that may be within a call of the store; it ends by itself later."""

_NEVER: Final = float("inf")
_ALWAYS: Final = 1 << 60

_log = logging.getLogger("taskkit.worker")


class ExitReason(StrEnum):
    """Why a worker ends."""

    ASKED = "asked"
    """``stop`` was called."""
    STOPPED = "stopped"
    """``Kit.shutdown``: no group is left to serve."""
    DRAINED = "drained"
    """It was to work until nothing is left, and nothing is."""
    RECYCLE = "recycled"
    """It has handled its number of tasks, or reached its age or memory."""
    STUCK = "stuck"
    """A thread is blocked beyond its task's timeout, and only the end of the process frees it."""


@dataclass(frozen=True, slots=True)
class _Stop:
    grace: float


_Request: TypeAlias = _Stop | ExitReason | None
"""To the runtime's thread; None: look again."""


class WorkerRuntime:
    """A worker, as threads of this process. Its methods may be called from any thread.

    Args:
        backend: The store.
        handler: What tasks mean.
        hooks: Who listens.
        settings: What to serve, and how.
        nursery: Forks children for isolated tasks; without one each is a fresh interpreter.
        on_isolated: Told of each claim that runs in a child, when that begins and ends.
    """

    def __init__(
        self,
        backend: Backend,
        handler: TaskHandler,
        hooks: Hooks,
        settings: WorkerSettings,
        *,
        nursery: Nursery | None = None,
        on_isolated: OnIsolated | None = None,
    ) -> None:
        host, pid = socket.gethostname(), os.getpid()
        self.worker_id = f"{host[:60]}-{pid}-{new_uuid7() & 0xFFFFFFFF:08x}"
        groups = {group: slots.count for group, slots in settings.groups.items()}
        self._info = WorkerInfo(self.worker_id, groups, host, pid, __version__)
        self._backend = backend
        self._hooks = hooks
        self._settings = settings
        self._requests: SimpleQueue[_Request] = SimpleQueue()
        self._reason: ExitReason | None = None
        self._has_reason = threading.Event()
        self._ended = threading.Event()
        self._stops = 0
        self._release_at = _NEVER
        self._thread = threading.Thread(target=self._run, name="taskkit-runtime", daemon=True)
        self._parts = Parts(
            backend,
            handler,
            hooks,
            settings,
            self._info,
            look=self._look,
            on_slot_free=self._slot_is_free,
            on_stuck=lambda: self._requests.put(ExitReason.STUCK),
            on_stopped=lambda: self._requests.put(ExitReason.STOPPED),
            on_dry=self._look_for_drain if settings.drain else None,
            nursery=nursery,
            on_isolated=on_isolated,
        )

    def start(self) -> None:
        """Register the worker and begin to work.

        A store that cannot be reached is no error: the worker begins when it can.

        Raises:
            BackendError: the store refuses, for example because of its schema.
        """
        self._parts.pulse.start()
        self._hooks.resolve = self._parts.loop.resolve
        self._hooks.worker_started(self._info)
        self._parts.start()
        self._thread.start()
        _log.info("worker %s serves %s", self.worker_id, ", ".join(self._settings.groups))

    def stop(self, grace: float | None = None) -> None:
        """Begin to end, and return at once. May be called in a signal handler.

        Nothing is claimed any more, and what no slot has taken is given back now. What runs may
        finish; what still runs after ``grace`` seconds (``settings.grace``) is given back and told
        to end. A second call gives it back at once. What is given back counts no attempt.
        """
        self._requests.put(_Stop(self._settings.grace if grace is None else grace))

    def wait(self) -> ExitReason:
        """Block until the worker has a reason to end; from then on it claims nothing more."""
        self._has_reason.wait()
        assert self._reason is not None
        return self._reason

    def join(self, timeout: float | None = None) -> bool:
        """Wait until everything is settled or given back and the worker has retired.

        Returns:
            Whether it is so; after ``timeout`` seconds it may not be.
        """
        return self._ended.wait(timeout)

    # ---- what the parts ask

    def _look(self) -> None:
        self._requests.put(None)

    def _slot_is_free(self) -> None:
        if self._reason is None:
            self._parts.claimer.wake()
        else:
            self._look()

    def _look_for_drain(self) -> float:
        groups, excluded = self._settings.groups, self._parts.claimer.excluding or ()
        for count in self._backend.count():
            if (
                count.state in (State.QUEUED, State.RUNNING)
                and covered(count.group, by=groups.keys())
                and not covered(count.group, by=excluded)
            ):
                return DRAIN_INTERVAL
        self._requests.put(ExitReason.DRAINED)
        return self._settings.poll

    # ---- the runtime's thread

    def _run(self) -> None:
        try:
            while self._goes_on():
                self._take_request(self._patience_left())
            self._finish()
        except BaseException:
            _log.exception("worker %s ends because of an error in taskkit", self.worker_id)
            self._end_because(ExitReason.ASKED)
            raise
        finally:
            self._ended.set()

    def _goes_on(self) -> bool:
        if self._reason is None:
            return True
        for slots in self._parts.slots:
            # Armed before we look: a slot that becomes free in between wakes us.
            slots.low = _ALWAYS
        return monotonic() < self._release_at and any(
            one.outstanding() for one in self._parts.slots
        )

    def _patience_left(self) -> float:
        left = min(self._parts.deadlines.check(), self._release_at - monotonic())
        if self._parts.recycling.limited and self._reason is None:
            reached = self._parts.recycling.reason()
            if reached is not None:
                _log.info("worker %s is recycled after %s", self.worker_id, reached)
                self._end_because(ExitReason.RECYCLE)
            left = min(left, INTERVAL)
        return max(left, 0.0)

    def _take_request(self, timeout: float) -> None:
        try:
            request = self._requests.get(timeout=min(timeout, threading.TIMEOUT_MAX))
        except Empty:
            return
        if isinstance(request, ExitReason):
            self._end_because(request)
        elif request is not None:
            self._stops += 1
            self._end_because(ExitReason.ASKED)
            grace = request.grace if self._stops == 1 else 0.0
            self._release_at = min(self._release_at, monotonic() + grace)

    def _end_because(self, reason: ExitReason) -> None:
        if self._reason is not None:
            return
        self._parts.claimer.end()
        self._parts.control.release_ready()
        self._reason = reason
        if reason in (ExitReason.STOPPED, ExitReason.DRAINED):
            self._release_at = monotonic() + self._settings.grace
        self._has_reason.set()

    def _finish(self) -> None:
        self._parts.control.release_running()
        self._parts.stop_asking()
        self._parts.settler.finish()
        # The grace is theirs too: what has finished should not run again for a store's restart.
        while not self._parts.settler.finished:
            left = self._release_at + SETTLE_TIMEOUT - monotonic()
            if left <= 0:
                self._parts.settler.give_up()
                _log.error("worker %s: not everything could be settled", self.worker_id)
                break
            self._take_request(left)
        self._parts.pulse.end(PART_TIMEOUT)
        for slots in self._parts.slots:
            slots.stop()
        self._retire()
        self._hooks.worker_stopped(self._info)
        self._hooks.resolve = run_awaitable
        self._parts.loop.stop()

    def _retire(self) -> None:
        deadline = monotonic() + PART_TIMEOUT
        patience = Patience(self._parts.outage, "retire")
        while True:
            try:
                self._backend.retire(self.worker_id)
            except BackendError as error:
                wait = patience.failed(error)
                if monotonic() + wait >= deadline:
                    _log.warning("worker %s could not retire; its lease will end", self.worker_id)
                    return
                self._ended.wait(wait)
            else:
                _log.info("worker %s has retired", self.worker_id)
                return
