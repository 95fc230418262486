"""A file of tables. Each change replaces it, so that who reads it sees the end of a transaction."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taskkit.clock import Clock, monotonic, sleep
from taskkit.errors import Unavailable
from taskkit.simple.document import Document
from taskkit.simple.tables import Tables

PATIENCE = 30.0  # seconds to wait for other writers


class File:
    """Tables in a folder, for all processes that can lock a file in it."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._path, self._clock = folder / "tables.json", clock
        self._mutex = threading.RLock()
        self._text, self._document = "", Document()

    @contextmanager
    def reading(self) -> Iterator[tuple[Tables, int]]:
        """Give the block the tables as they are now, and the time."""
        with self._mutex:
            try:
                text = self._path.read_text() if self._path.exists() else ""
            except OSError as error:
                raise Unavailable(f"{self._path}: {error}") from error
            if text != self._text:
                self._document.read(text)
                self._text = text
            yield self._document.tables, self._clock.now()

    @contextmanager
    def writing(self) -> Iterator[tuple[Tables, int]]:
        """Let the block change the tables, alone; if it raises, nothing was changed."""
        with self._mutex, self._locked(), self.reading() as (tables, now):
            try:
                yield tables, now
                text = self._document.text()
                if text != self._text:  # a claim of nothing must not wake who waits for a change
                    self._replace(text)
            except BaseException:
                self._text = "?"  # read again what the file says
                raise
            self._text = text

    def mark(self) -> object:
        """Return what is another after each change."""
        found = self._path.stat() if self._path.exists() else None
        return found and (found.st_ino, found.st_mtime_ns, found.st_size)

    def _replace(self, text: str) -> None:
        new = self._path.with_suffix(".new")
        try:
            with new.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except OSError as error:
            raise Unavailable(f"{new}: {error}") from error

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # The lock belongs to the opened file: one for each call, because a fork would share it.
        deadline = monotonic() + PATIENCE
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("ab") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if monotonic() > deadline:
                        raise Unavailable(f"{self._path} stays locked") from error
                    sleep(0.001)
            yield
