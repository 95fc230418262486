"""Handles on worker processes: what users hold, and what the supervisor knows of each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from taskkit.clock import monotonic
from taskkit.worker.backoff import Backoff
from taskkit.worker.launcher import Launcher
from taskkit.worker.line import Line
from taskkit.worker.messages import Ending, Force


@dataclass(slots=True, eq=False)
class Incarnation:
    """One OS process, from the order to start it until it is known to be dead."""

    number: int
    place: Place | None
    """None: it is not a worker, but retires one that died."""
    line: Line
    launcher: Launcher
    began: float = field(default_factory=monotonic)
    pid: int | None = None
    worker_id: str | None = None
    """None until it is about to register."""
    isolated: set[str] = field(default_factory=set)
    """Tasks that it runs in children of their own."""
    registered: float | None = None
    """Since when it claims (monotonic)."""
    ending: Ending | None = None
    """None while it runs, and for ever if it died."""
    error: str | None = None
    """Why it could not start."""
    force: Force = Force.NONE
    """How hard it was told to stop."""
    kill_at: float | None = None


@dataclass(slots=True, eq=False)
class Place:
    """Where one worker is to run at any time."""

    index: int
    settings: bytes
    current: Incarnation | None = None
    successor: Incarnation | None = None
    """It starts while the current one still works; once it has registered it takes over."""
    leaving: set[Incarnation] = field(default_factory=set)
    """They finish what they run."""
    due: float | None = 0.0
    """When to start a process (monotonic)."""
    backoff: Backoff = field(default_factory=Backoff)
    failed_starts: int = 0
    """In a row."""
    starts: int = 0
    given_up: bool = False
    """No process is started here any more."""
    exitcode: int | None = None
    ended: threading.Event = field(default_factory=threading.Event)

    def all(self) -> list[Incarnation]:
        """Return every process that belongs here."""
        return [i for i in (self.current, self.successor, *self.leaving) if i is not None]


class WorkerProcess:
    """The worker process at one index; when it is restarted, the new one.

    Methods may be called from any thread.
    """

    def __init__(self, place: Place, dismiss: Callable[[Place, Force], None]) -> None:
        self._place = place
        self._dismiss = dismiss

    def __repr__(self) -> str:
        state = "alive" if self.is_alive() else "not running"
        return f"<WorkerProcess index={self.index} pid={self.pid} {state}>"

    @property
    def index(self) -> int:
        """Its number among its siblings, from 0."""
        return self._place.index

    @property
    def pid(self) -> int | None:
        """The process id now; None between two processes, and after the last."""
        current = self._place.current
        return None if current is None else current.pid

    @property
    def worker_id(self) -> str | None:
        """The id under which it registers; None before that."""
        current = self._place.current
        return None if current is None else current.worker_id

    @property
    def age(self) -> float:
        """Seconds since the process was started; 0 without a process."""
        current = self._place.current
        return 0.0 if current is None else monotonic() - current.began

    @property
    def restarts(self) -> int:
        """How often a process was started here after the first."""
        return max(self._place.starts - 1, 0)

    @property
    def exitcode(self) -> int | None:
        """Exit status of the last process that ended, negative for a signal; None before."""
        return self._place.exitcode

    def is_alive(self) -> bool:
        """Return whether a process runs here, or is about to be started again."""
        return not self._place.ended.is_set()

    def is_active(self) -> bool:
        """Return whether a process is registered here and was not told to stop."""
        current = self._place.current
        return current is not None and current.registered is not None and not current.force

    def terminate(self) -> None:
        """Stop gracefully and for good: it is not restarted. Returns at once."""
        self._dismiss(self._place, Force.GRACEFUL)

    def kill(self) -> None:
        """Kill for good: it is not restarted, and its tasks are queued again. Returns at once."""
        self._dismiss(self._place, Force.KILL)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the process has ended for good; return whether it has."""
        return self._place.ended.wait(timeout)
