"""The crew: the worker processes of one supervisor, and the loop that keeps them alive.

All decisions are made in one thread, the one in ``run``; everybody else posts requests to it. It
sleeps in ``select`` until a process says or suffers something, or until the next instant to keep.
It needs no store: a worker that died is retired by a process that is started for that.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from taskkit.clock import monotonic
from taskkit.errors import WorkerStartFailed
from taskkit.worker.handle import Incarnation, Place, WorkerProcess
from taskkit.worker.messages import Ending, Force, LoadFailed, Refreshed
from taskkit.worker.roster import Dead, Happening, Roster, WantsSuccessor, Working

if TYPE_CHECKING:
    from taskkit.worker.launch import Payload

_log = logging.getLogger("taskkit.supervisor")

MAX_FAILED_STARTS: Final = 5
"""Starts in a row that may fail at one place before all is given up."""
MAX_PARDONS: Final = 20
"""Deaths of its worker that are not counted against a task that runs in a child of its own."""
_ERRAND: Final = 3.0
"""Seconds for which retiring a dead worker may hold up the end."""
_ASK_EVERY: Final = 1.0
_FINAL: Final = frozenset({Ending.STOPPED, Ending.DRAINED})


class Crew:
    """Keeps one worker process alive at each place until it is told to stop.

    Args:
        payload: What each process is told first.
        settings: Packed worker settings, one for each place.
        grace: Seconds that running tasks get after a stop.
        fork: Whether workers may be forked from a template.
        should_restart: Asked about each working process once a second.
    """

    def __init__(
        self,
        payload: Payload,
        settings: Sequence[bytes],
        *,
        grace: float,
        fork: bool,
        should_restart: Callable[[WorkerProcess], bool] | None = None,
    ) -> None:
        self._grace = grace
        self._should_restart = should_restart
        self._ask_at = monotonic() + _ASK_EVERY
        self._places = [Place(index, packed) for index, packed in enumerate(settings)]
        self.processes = [WorkerProcess(place, self._dismiss) for place in self._places]
        self._rolling: deque[Place] = deque()
        """Places whose process is to be replaced, one after the other."""
        self._force = Force.NONE
        self.failure: WorkerStartFailed | None = None
        self.settled = threading.Event()
        """Set once every place has had a process, or never will."""
        self._requests: deque[Callable[[], None]] = deque()
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._pardons: Counter[str] = Counter()
        self._roster = Roster(payload, self._selector, fork=fork)

    # ---- for other threads and signal handlers

    def stop(self, force: Force) -> None:
        """Stop all processes, at least so hard; ``run`` returns when they have ended."""
        self._post(lambda: self._stop_all(force))

    def stop_harder(self) -> None:
        """Go one step further than the last time."""
        self._post(lambda: self._stop_all(Force(min(self._force + 1, Force.KILL))))

    def restart(self) -> None:
        """Load the program anew, then replace one process after the other, gracefully."""
        self._post(self._refresh)

    def _dismiss(self, place: Place, force: Force) -> None:
        self._post(lambda: self._end_place(place, force))

    def _post(self, request: Callable[[], None]) -> None:
        self._requests.append(request)
        try:
            self._ringer.send(b"\0")
        except OSError:
            # It rings already, or the crew has ended.
            return

    # ---- the loop

    def run(self) -> None:
        """Keep the processes alive until all have ended for good.

        Raises:
            WorkerStartFailed: they cannot be started.
        """
        try:
            self._step(monotonic())
            while not self._over():
                self._selector.select(self._patience(monotonic()))
                self._step(monotonic())
        finally:
            self._close()
        if self.failure is not None:
            raise self.failure

    def _step(self, now: float) -> None:
        self._answer_bell()
        for happening in self._roster.happenings(now):
            self._react(happening, now)
        for place in self._places:
            if place.due is not None and place.due <= now:
                place.due = None
                place.current = self._roster.launch(place.settings, place)
        self._ask_about_restarts(now)
        self._roll()
        for place in self._places:
            if place.due is None and not place.all():
                place.ended.set()
        if all(place.starts or place.ended.is_set() for place in self._places):
            self.settled.set()

    def _over(self) -> bool:
        return not self._roster and all(place.ended.is_set() for place in self._places)

    def _patience(self, now: float) -> float | None:
        moments = self._roster.deadlines(now)
        moments += [place.due for place in self._places if place.due is not None]
        if self._should_restart is not None:
            moments.append(self._ask_at)
        return max(min(moments) - now, 0.0) if moments else None

    def _answer_bell(self) -> None:
        with suppress(BlockingIOError):
            self._bell.recv(4096)
        while self._requests:
            self._requests.popleft()()

    def _close(self) -> None:
        self._roster.close()
        self._selector.close()
        self._bell.close()
        self._ringer.close()
        for place in self._places:
            place.ended.set()
        self.settled.set()

    # ---- what happens to processes

    def _react(self, happening: Happening, now: float) -> None:
        match happening:
            case Working(process):
                self._take_over(process)
            case WantsSuccessor(process):
                self._let_leave(process)
            case Dead(process, status, innocent):
                self._mourn(process, status, innocent, now)
            case LoadFailed(error, traceback):
                if traceback:
                    _log.error("the program cannot be loaded:\n%s", traceback)
                self._give_up(f"worker processes cannot start: {error}")
            case Refreshed():
                _log.info("the program was loaded anew; replacing the workers one by one")
                self._rolling.extend(self._places)

    def _take_over(self, process: Incarnation) -> None:
        place = process.place
        assert place is not None
        place.failed_starts = 0
        _log.info("worker process %s works as %s", process.pid, process.worker_id)
        if place.successor is process:
            place.successor = None
            if place.current is not None:
                place.leaving.add(place.current)
                self._roster.tell(place.current, Force.GRACEFUL, self._grace)
            place.current = process

    def _let_leave(self, process: Incarnation) -> None:
        place = process.place
        if place is None or place.current is not process:
            return
        place.leaving.add(process)
        place.current, place.successor = place.successor, None
        if place.current is None and not self._force and not place.given_up:
            place.due = monotonic()

    def _mourn(self, process: Incarnation, status: int | None, innocent: bool, now: float) -> None:
        if process.ending is None and process.worker_id is not None:
            self._retire(process, process.worker_id)
        place = process.place
        if place is None:
            return
        if status is not None:
            place.exitcode = status
        place.leaving.discard(process)
        if place.successor is process:
            place.successor = None
            self._rolling.clear()
            _log.error("a process could not take over: %s", process.error or status)
        elif place.current is process:
            place.current, place.successor = place.successor, None
            if place.current is None:
                self._refill(place, process, innocent, now)

    def _retire(self, process: Incarnation, worker_id: str) -> None:
        if self._force is Force.KILL:
            return
        packed = self._places[0].settings if process.place is None else process.place.settings
        errand = self._roster.launch_errand(packed, worker_id, self._suspects(process))
        if self._force:
            self._roster.limit(errand, _ERRAND)

    def _suspects(self, process: Incarnation) -> frozenset[str]:
        # A task in a child of its own did not kill its worker, but not for ever: one may kill its
        # parent.
        self._pardons.update(process.isolated)
        return frozenset(
            task_id for task_id in process.isolated if self._pardons[task_id] > MAX_PARDONS
        )

    def _refill(self, place: Place, process: Incarnation, innocent: bool, now: float) -> None:
        if self._force or place.given_up or process.ending in _FINAL:
            return
        if process.ending is not None or innocent:
            place.due = now
            return
        lived = 0.0 if process.registered is None else now - process.registered
        delay = place.backoff.delay(lived)
        place.due = now + delay
        died = "worker process %s died (exit status %s); starting another in %g s"
        _log.warning(died, process.pid, place.exitcode, delay)
        if process.registered is None:
            place.failed_starts += 1
            if place.failed_starts >= MAX_FAILED_STARTS:
                self._give_up(
                    f"worker process {place.index} could not start {MAX_FAILED_STARTS} times in a "
                    f"row; the last time: {process.error or f'exit status {place.exitcode}'}"
                )

    # ---- stopping and replacing

    def _give_up(self, reason: str) -> None:
        self.failure = self.failure or WorkerStartFailed(reason)
        self._stop_all(Force.GRACEFUL)

    def _stop_all(self, force: Force) -> None:
        if force <= self._force:
            return
        _log.info("stopping worker processes: %s", force.name.lower())
        self._force = force
        self._rolling.clear()
        self._roster.source.withdraw()
        for place in self._places:
            place.due = None
        for process in self._roster.all():
            if process.place is None:
                self._roster.limit(process, _ERRAND)
            else:
                self._roster.tell(process, force, self._grace)

    def _end_place(self, place: Place, force: Force) -> None:
        place.given_up = True
        place.due = None
        for process in place.all():
            self._roster.tell(process, force, self._grace)

    def _refresh(self) -> None:
        if not self._force:
            self._roster.source.refresh()

    def _ask_about_restarts(self, now: float) -> None:
        if self._should_restart is None or now < self._ask_at or self._force:
            return
        self._ask_at = now + _ASK_EVERY
        for place, process in zip(self._places, self.processes, strict=True):
            if not process.is_active() or place.successor or place in self._rolling:
                continue
            try:
                if self._should_restart(process):
                    self._rolling.append(place)
            except Exception:  # noqa: BLE001 - user code must not end the supervisor
                _log.exception("should_restart failed; the process goes on")

    def _roll(self) -> None:
        """Start the next successor, once the one before has taken over."""
        if any(place.successor is not None for place in self._places):
            return
        while self._rolling:
            place = self._rolling.popleft()
            # A place without a process gets a new one anyway.
            if place.current is not None and not place.given_up:
                place.successor = self._roster.launch(place.settings, place)
                return
