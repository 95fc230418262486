"""One process that a test run starts: told by signals, gone with the run, its output kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from taskkit.clock import monotonic, sleep

GUARD: Final = Path(__file__).with_name("guard.py")

START_TIMEOUT: Final = 60.0
"""Seconds that a server gets to answer; a busy machine is not a broken one."""

STOP_TIMEOUT: Final = 20.0

_PAUSE: Final = 0.01
_TAIL: Final = 2000


class StartFailed(Exception):
    """A server did not start; the message ends with what it printed last."""


@dataclass(slots=True, eq=False)
class Program:
    """A program that can be started again and again.

    Only signals to its own process (and children) ever leave it, and when this process ends, in
    whatever way, it is killed (see ``guard``).
    """

    command: Sequence[str]
    log: Path
    """Where its output goes, appended."""
    is_ready: Callable[[], bool]
    """Asked until it is true, after each start."""
    user: str = ""
    """As whom it runs; empty: as the caller."""
    stop_signal: int = signal.SIGTERM
    """What ends it in good order."""
    environment: Mapping[str, str] = field(default_factory=dict)
    _guard: subprocess.Popen[bytes] | None = None
    pid: int = 0
    """Of the running program; 0 before the first start."""

    def start(self) -> None:
        """Start it, and return when it answers.

        Raises:
            StartFailed: it ended, or did not answer in time.
        """
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it, and return at once."""
        with self.log.open("ab") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), self.user, *self.command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.log.parent,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        first = self._guard.stdout.readline()
        if not first:
            self._let_go()
            raise StartFailed(self._said(f"{self.command[0]}: cannot be started"))
        self.pid = int(first)

    def wait_ready(self) -> None:
        """Return when it answers.

        Raises:
            StartFailed: it ended, or did not answer in time; it runs no more.
        """
        deadline = monotonic() + START_TIMEOUT
        while not self.is_ready():
            if not self.is_alive():
                status = self._let_go()
                raise StartFailed(self._said(f"{self.command[0]}: ended with status {status}"))
            if monotonic() > deadline:
                self.kill()
                raise StartFailed(
                    self._said(f"{self.command[0]}: no answer within {START_TIMEOUT:.0f} s")
                )
            sleep(_PAUSE)

    def is_alive(self) -> bool:
        """Return whether it has not ended; a paused one is alive."""
        return self._guard is not None and self._guard.poll() is None

    def status(self) -> int | None:
        """Return the exit status with which it ended by itself; None if it did not."""
        return None if self._guard is None else self._guard.poll()

    def kill(self) -> None:
        """Kill it and its children, without any chance to tidy up; no error if it has ended."""
        self._signal(signal.SIGKILL, everyone=True)
        self._let_go()

    def pause(self) -> None:
        """Freeze it and its children. It holds its ports and locks and answers nobody."""
        self._signal(signal.SIGSTOP, everyone=True)

    def resume(self) -> None:
        """Let it go on after ``pause``."""
        self._signal(signal.SIGCONT, everyone=True)

    def stop(self) -> None:
        """End it in good order, or kill it if that takes too long; no error if it has ended."""
        guard = self._guard
        if guard is None:
            return
        self.resume()
        self._signal(self.stop_signal, everyone=False)
        try:
            guard.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL, everyone=True)
        self._let_go()

    def _signal(self, number: int, *, everyone: bool) -> None:
        guard = self._guard
        if guard is None:
            return
        assert guard.stdin is not None
        assert guard.stdout is not None
        try:
            guard.stdin.write(f"{int(number)} {int(everyone)}\n".encode())
            guard.stdin.flush()
        except BrokenPipeError:
            return  # it has ended by itself
        guard.stdout.readline()  # the answer, or the end

    def _let_go(self) -> int | None:
        """Wait for the end of guard and program; return the status."""
        guard, self._guard = self._guard, None
        if guard is None:
            return None
        status = guard.wait(STOP_TIMEOUT)
        for pipe in (guard.stdin, guard.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        return status

    def last_words(self) -> str:
        """Return the end of its output."""
        return self.log.read_bytes()[-_TAIL:].decode("utf-8", "replace").strip()

    def _said(self, what: str) -> str:
        return f"{what}; it said:\n{self.last_words() or '(nothing)'}"
