"""What is told of a store that cannot be watched."""

from __future__ import annotations

import logging
import threading

import pytest

from taskkit.errors import BackendError, Unavailable
from taskkit_relational.wakeup import Wakeup


class Failing:
    """A source that fails once, and then watches until it is interrupted."""

    def __init__(self, error: BackendError) -> None:
        self._errors = [error]
        self.watched = threading.Event()
        self._over = threading.Event()

    def watch(self, room):
        if self._errors:
            raise self._errors.pop()
        room.listening()
        self.watched.set()
        self._over.wait()

    def interrupt(self):
        self._over.set()

    def finished(self, ids):
        return set(ids)


@pytest.mark.parametrize(
    ("error", "level"),
    [(Unavailable("gone"), logging.DEBUG), (BackendError("not allowed"), logging.WARNING)],
    ids=["down", "refused"],
)
def test_an_outage_is_left_to_those_who_use_the_store_to_tell(caplog, error, level):
    caplog.set_level(logging.DEBUG, "taskkit.wakeup")
    source = Failing(error)
    wakeup = Wakeup(source, source.finished)
    while not source.watched.is_set():
        wakeup.claimed(["mail"], wakeup.mark())
        wakeup.wait(["mail"], 1)
    wakeup.close()
    [record] = caplog.records
    assert record.levelno == level
    assert str(error) in record.getMessage()
    assert record.exc_info is None
