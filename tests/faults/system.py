"""A program with worker processes, and the same store seen from here."""

from __future__ import annotations

import importlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from taskkit.task import State

HERE: Final = Path(__file__).parent

PATIENCE: Final = 120.0
"""Seconds until what must happen some time counts as not happening."""

BACK: Final = 5.0
"""Seconds in which workers must be at work again after their server."""


_log = logging.getLogger("taskkit.faults")


def eventually(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Wait until a condition holds, and return its value."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"never came true: {what}"
        time.sleep(0.02)
    return value


class System:
    """Workers on the tasks of ``faults_app.py``."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.notes_file = folder / "notes"
        self.log = folder / "log"
        self._supervisor: subprocess.Popen[bytes] | None = None
        os.environ.update(TASKKIT_URL=url, FAULTS_NOTES=str(self.notes_file))
        os.environ.pop("FAULTS_OPTIONS", None)
        sys.modules.pop("faults_app", None)
        self.app: Any = importlib.import_module("faults_app")
        self.kit = self.app.kit
        self.kit.backend.migrate()
        self.url = url

    def start(
        self, processes: int, slots: int, url: str | None = None, **options: Any
    ) -> dict[str, int]:
        """Start workers, on another URL or with other options of the backend; return them."""
        command = [sys.executable, "-m", "taskkit", "worker", "faults_app:kit"]
        command += ["-g", f"faults={slots}", "--processes", str(processes)]
        where = {"TASKKIT_URL": url or self.url, "FAULTS_OPTIONS": json.dumps(options)}
        with self.log.open("ab") as log:
            self._supervisor = subprocess.Popen(
                command,
                env={**os.environ, **where, "PYTHONPATH": str(HERE)},
                stderr=log,
                start_new_session=True,
            )
        eventually(lambda: len(self.workers()) == processes, "the workers register")
        return self.workers()

    def workers(self) -> dict[str, int]:
        """Return the pid of each worker that the store knows."""
        return {record.info.id: record.info.pid for record in self.kit.backend.workers()}

    def noted(self, what: str) -> Counter[int]:
        """Return how often each task has noted this."""
        with suppress(FileNotFoundError):
            lines = [line.split() for line in self.notes_file.read_text().splitlines()]
            return Counter(int(line[1]) for line in lines if line[0] == what)
        return Counter()

    def wait_for_more(self, count: int) -> None:
        """Return when so many more tasks have ended."""
        before = self.noted("ended").total()
        eventually(lambda: self.noted("ended").total() >= before + count, f"{count} more tasks")

    def _down(self, log: str) -> dict[int, bool]:
        """Return for each worker process that said so whether its store answered last."""
        said = re.findall(
            r"^.{23} \w+ (\d+) \S+ the store (does not answer|answers again)", log, re.M
        )
        return {int(pid): what == "does not answer" for pid, what in said}

    @contextmanager
    def noticed_by(self, workers: int) -> Iterator[None]:
        """Break something in the block; it ends when so many workers miss their store."""
        eventually(lambda: not any(self._down(self.log.read_text()).values()), "all is well")
        before = self.log.stat().st_size
        yield
        eventually(lambda: len(self._down(self._log_since(before))) >= workers, "it is noticed")

    def _log_since(self, size: int) -> str:
        return self.log.read_bytes()[size:].decode()

    def states(self) -> dict[State, int]:
        """Return how many tasks are in each state."""
        return {count.state: count.count for count in self.kit.backend.count()}

    def wait_for_end(self, count: int) -> None:
        """Return when no task is left to be done; fail if one of them did not succeed."""
        open_states = {State.WAITING, State.QUEUED, State.RUNNING}
        eventually(lambda: not open_states & self.states().keys(), f"an end of {self.states()}")
        assert self.states() == {State.SUCCEEDED: count}

    def claimed(self) -> list[tuple[str, float]]:
        """Return who claimed each attempt that has ended, and when, by the store's clock."""
        found, after = [], None
        while True:
            page = self.kit.find("faults", limit=1_000, after=after)
            ended = [attempt for record in page.records for attempt in record.history]
            found += [(attempt.worker_id, attempt.began / 1e6) for attempt in ended]
            if page.next is None:
                return found
            after = page.next

    def assert_back_in_time(self, workers: Sequence[str], back: Sequence[float]) -> None:
        """Fail unless each worker claimed soon after each of these moments."""
        claimed, never = self.claimed(), float("inf")
        took = [
            min(
                (at - moment for who, at in claimed if who == worker and at > moment), default=never
            )
            for moment in back
            for worker in workers
        ]
        _log.info("workers claimed again after %s s", [round(seconds, 2) for seconds in took])
        assert max(took) <= BACK

    def assert_undisturbed(self, workers: dict[str, int]) -> None:
        """Fail if a worker process has ended, or registered anew."""
        assert self._supervisor is not None
        assert self._supervisor.poll() is None
        assert self.workers() == workers

    def stop(self) -> None:
        """Kill whatever a test has left behind."""
        if self._supervisor is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._supervisor.pid, signal.SIGKILL)
            self._supervisor.wait()
        self.kit.close()
