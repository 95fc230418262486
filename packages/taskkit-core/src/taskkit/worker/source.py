"""Where worker processes come from: the launcher in use, its replacement, and old ones.

A template that dies is replaced; one that may not fork gives way to fresh interpreters for good;
one that is to run newer code is replaced once the newer one has loaded, so that broken code never
takes working workers down.
"""

from __future__ import annotations

import logging
import selectors
from collections.abc import Collection
from typing import TYPE_CHECKING

from taskkit.worker.launcher import InterpreterLauncher, Launcher, TemplateLauncher
from taskkit.worker.messages import (
    Dropped,
    Exited,
    LauncherEvent,
    LoadFailed,
    Order,
    Ready,
    Refreshed,
    SourceEvent,
    Started,
    Unsafe,
)

if TYPE_CHECKING:
    import socket

    from taskkit.worker.launch import Payload
    from taskkit.worker.line import Line

_log = logging.getLogger("taskkit.supervisor")

_GONE = "the template process ended before it could fork; what it raised, if anything, is on stderr"


class Source:
    """Takes orders for processes; reports through ``events``. For one thread."""

    def __init__(self, payload: Payload, selector: selectors.BaseSelector, *, fork: bool) -> None:
        self._payload = payload
        self._selector = selector
        self._fork = fork
        self._loaded = False
        """Whether the kit could ever be loaded."""
        self._next: Launcher | None = None
        self._old: list[Launcher] = []
        self._events: list[SourceEvent] = []
        self._current = self._open()

    @property
    def silent(self) -> bool:
        """Whether events come without anything becoming readable."""
        return any(launcher.line is None for launcher in self._launchers())

    def launch(self, order: Order, near: Line, far: socket.socket) -> Launcher:
        """Start a process at the far end of a line; return who started it."""
        if not self._current.alive:
            self._current = self._open()
        self._current.launch(order, near, far)
        return self._current

    def refresh(self) -> None:
        """Load the code anew for all further processes; ``Refreshed`` tells when that is done."""
        if self._next is None:
            self._next = self._open()

    def withdraw(self) -> None:
        """Start nothing more of what was ordered, and load nothing more."""
        for launcher in self._launchers():
            self._drop_unsent(launcher, None)
        if self._next is not None:
            self._shut(self._next)
            self._next = None

    def events(self) -> list[SourceEvent]:
        """Return what happened since the last call; never blocks."""
        for launcher in self._launchers():
            for event in launcher.events():
                self._take(launcher, event)
            if not launcher.alive:
                self._bury(launcher)
        if self._next is not None and self._next.ready:
            self._old.append(self._current)
            self._current, self._next = self._next, None
            self._events.append(Refreshed())
        events, self._events = self._events, []
        return events

    def tidy(self, needed: Collection[Launcher]) -> None:
        """Close old launchers that no process needs any more."""
        for launcher in self._old:
            if launcher not in needed:
                self._shut(launcher)
        self._old = [launcher for launcher in self._old if launcher in needed]

    def close(self) -> None:
        """Close all launchers; the processes go on."""
        for launcher in self._launchers():
            self._shut(launcher)

    def _launchers(self) -> list[Launcher]:
        return [x for x in (self._current, self._next, *self._old) if x is not None]

    def _open(self) -> Launcher:
        if not self._fork:
            return InterpreterLauncher(self._payload)
        launcher = TemplateLauncher(self._payload)
        self._selector.register(launcher.line, selectors.EVENT_READ)
        return launcher

    def _shut(self, launcher: Launcher) -> None:
        # A closed line has the number -1, and was unregistered when it was closed.
        if launcher.line is not None and launcher.line.fileno() >= 0:
            self._selector.unregister(launcher.line)
        launcher.close()

    def _drop_unsent(self, launcher: Launcher, error: str | None) -> None:
        self._events.extend(Dropped(order.number, error) for order in launcher.take_unsent())

    # ---- what launchers say

    def _take(self, launcher: Launcher, event: LauncherEvent) -> None:
        match event:
            case Started() | Exited():
                self._events.append(event)
            case Ready():
                self._loaded = True
            case Unsafe():
                self._stop_forking(launcher, event)
            case LoadFailed():
                self._fail(launcher, event)

    def _stop_forking(self, launcher: Launcher, event: Unsafe) -> None:
        if self._fork:
            _log.warning(
                "importing the program starts threads (%s), after which forking is not safe: each "
                "worker runs in an interpreter of its own, which takes more memory",
                ", ".join(event.threads),
            )
        self._fork = False
        self._drop_unsent(launcher, None)
        if launcher is self._next:
            self._shut(launcher)
            self._next = self._open()
        elif launcher is self._current:
            self._old.append(launcher)
            self._current = self._open()

    def _fail(self, launcher: Launcher, event: LoadFailed) -> None:
        if launcher is self._next:
            _log.error(
                "the changed program cannot be loaded, the workers go on as they are: %s\n%s",
                event.error,
                event.traceback,
            )
            self._shut(launcher)
            self._next = None
        elif self._loaded:
            self._drop_unsent(launcher, event.error)
        else:
            self._events.append(event)

    def _bury(self, launcher: Launcher) -> None:
        self._drop_unsent(launcher, _GONE)
        self._shut(launcher)
        if launcher is self._current and launcher.ready:
            _log.warning("the template process has died; starting another")
            self._current = self._open()
        elif launcher is self._next:
            _log.error("the program could not be loaded anew: its template process died")
            self._next = None
        elif launcher in self._old:
            self._old.remove(launcher)
