"""The processes that are alive now: started, heard, told to stop, and buried when they are dead.

What becomes of a place whose process is gone is not decided here but in ``crew``.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from taskkit.clock import monotonic
from taskkit.worker.handle import Incarnation, Place
from taskkit.worker.line import Line
from taskkit.worker.messages import (
    Dropped,
    Exited,
    Force,
    Goodbye,
    Isolated,
    Leaving,
    LoadFailed,
    Named,
    Order,
    Refreshed,
    Registered,
    SourceEvent,
    Started,
    StartFailed,
    Stop,
    WorkerMessage,
)
from taskkit.worker.source import Source

if TYPE_CHECKING:
    from taskkit.worker.launch import Payload

_log = logging.getLogger("taskkit.supervisor")

KILL_MARGIN: Final = 5.0
"""Seconds beyond its grace after which a process is killed: a little more than it gives itself."""
_REAP_EVERY: Final = 0.02
_LOOK_EVERY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Working:
    """A worker has registered."""

    process: Incarnation


@dataclass(frozen=True, slots=True)
class WantsSuccessor:
    """A worker takes no more tasks."""

    process: Incarnation


@dataclass(frozen=True, slots=True)
class Dead:
    """A process has ended, or was never started (then ``status`` is None and it has no pid)."""

    process: Incarnation
    status: int | None
    innocent: bool = False
    """Nothing is wrong with it; only the way it was to be started was."""


Happening = Working | WantsSuccessor | Dead | LoadFailed | Refreshed


class Roster:
    """For one thread."""

    def __init__(self, payload: Payload, selector: selectors.BaseSelector, *, fork: bool) -> None:
        self._selector = selector
        self._alive: dict[int, Incarnation] = {}
        """By order number."""
        self._orders = 0
        self._happenings: list[Happening] = []
        self.source = Source(payload, selector, fork=fork)

    def __bool__(self) -> bool:
        return bool(self._alive)

    def all(self) -> list[Incarnation]:
        """Return all processes that are not known to be dead."""
        return list(self._alive.values())

    def launch(self, settings: bytes, place: Place) -> Incarnation:
        """Order a worker for a place."""
        self._orders += 1
        return self._launch(Order(self._orders, place.index, settings), place)

    def launch_errand(self, settings: bytes, lost: str, suspects: frozenset[str]) -> Incarnation:
        """Order a process that retires a lost worker."""
        self._orders += 1
        return self._launch(Order(self._orders, -1, settings, lost, suspects), None)

    def _launch(self, order: Order, place: Place | None) -> Incarnation:
        near, far = Line.pair()
        self._selector.register(near, selectors.EVENT_READ)
        launcher = self.source.launch(order, near, far)
        process = Incarnation(order.number, place, near, launcher)
        self._alive[process.number] = process
        return process

    def tell(self, process: Incarnation, force: Force, grace: float) -> None:
        """Tell a process to stop; it is killed if it takes too long."""
        process.force = max(process.force, force)
        if force is Force.KILL:
            self._kill(process)
            return
        grace = grace if force is Force.GRACEFUL else 0.0
        process.line.send(Stop(force, grace))
        self.limit(process, grace + KILL_MARGIN)

    def limit(self, process: Incarnation, seconds: float) -> None:
        """Have a process killed unless it ends within so many seconds."""
        kill_at = monotonic() + seconds
        process.kill_at = kill_at if process.kill_at is None else min(process.kill_at, kill_at)

    def happenings(self, now: float) -> list[Happening]:
        """Return what happened since the last call; never blocks."""
        for event in self.source.events():
            self._take(event)
        for process in self.all():
            if not process.line.ended:
                self._hear(process, now)
            if process.line.ended and not process.launcher.alive:
                # No child of ours or of a living template, so that nobody can wait for it. But
                # only a dead process lets go of its line.
                self._bury(process, None)
            elif process.kill_at is not None and now >= process.kill_at:
                if process.place is None:
                    _log.warning("a dead worker could not be retired; its lease will end")
                else:
                    _log.error("process %s did not end in time; killing it", process.pid)
                self._kill(process)
        self.source.tidy({process.launcher for process in self._alive.values()})
        happenings, self._happenings = self._happenings, []
        return happenings

    def deadlines(self, now: float) -> list[float]:
        """Return the instants at which to look even if nothing wakes."""
        moments = [p.kill_at for p in self._alive.values() if p.kill_at is not None]
        if self.source.silent:
            # Children that are no template's are waited for by looking.
            ended = any(process.line.ended for process in self._alive.values())
            moments.append(now + (_REAP_EVERY if ended else _LOOK_EVERY))
        return moments

    def close(self) -> None:
        """Let go of everything; workers that are left stop by themselves."""
        for process in self._alive.values():
            process.line.close()
        self.source.close()

    # ---- what is heard

    def _take(self, event: SourceEvent) -> None:
        match event:
            case Started(number, pid):
                process = self._alive[number]
                process.pid = pid
                if process.place is not None:
                    process.place.starts += 1
                if process.force is Force.KILL:
                    self._kill(process)
            case Exited(number, status):
                process = self._alive[number]
                if not process.line.ended:
                    self._hear(process, monotonic())
                self._bury(process, status)
            case Dropped(number, error):
                process = self._alive[number]
                process.error = error
                self._bury(process, None, innocent=error is None)
            case LoadFailed() | Refreshed():
                self._happenings.append(event)

    def _hear(self, process: Incarnation, now: float) -> None:
        for message in process.line.receive():
            self._note(process, message, now)
        if process.line.ended:
            self._selector.unregister(process.line)

    def _note(self, process: Incarnation, message: WorkerMessage, now: float) -> None:
        match message:
            case Named(worker_id):
                process.worker_id = worker_id
            case Isolated(task_id, over=True):
                process.isolated.discard(task_id)
            case Isolated(task_id):
                process.isolated.add(task_id)
            case Registered():
                process.registered = now
                self._happenings.append(Working(process))
            case StartFailed(error, traceback, final=True):
                process.error = error
                self._happenings.append(LoadFailed(error, traceback))
            case StartFailed(error, traceback):
                process.error = error
                text = f"{error}\n{traceback}".rstrip()
                _log.error("a worker process cannot start: %s", text)
            case Leaving():
                self._happenings.append(WantsSuccessor(process))
            case Goodbye(ending):
                process.ending = ending

    def _bury(self, process: Incarnation, status: int | None, *, innocent: bool = False) -> None:
        if self._alive.pop(process.number, None) is None:
            return
        if not process.line.ended:
            self._selector.unregister(process.line)
        process.line.close()
        self._happenings.append(Dead(process, status, innocent))

    def _kill(self, process: Incarnation) -> None:
        process.kill_at = None
        process.force = Force.KILL
        if process.pid is None:
            # Ordered of a template that still loads the program, perhaps for ever.
            if process.launcher.take_back(process.number):
                self._bury(process, None, innocent=True)
            return
        try:
            os.kill(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            # It is dead already; its exit is on the way to us.
            return
