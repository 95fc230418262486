"""Who is woken; and a store that cannot be watched: what is told of it, and that it is again."""

from __future__ import annotations

import errno
import logging
import threading

import pytest

from taskkit.clock import monotonic
from taskkit.errors import BackendError, Unavailable
from taskkit_relational.wakeup import Wakeup


class Failing:
    """A source that fails once for each error, and then watches until it is interrupted."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
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


def watched(source):
    """Wait as claimers do, until the source is watched; return the waiting room, closed."""
    wakeup = Wakeup(source, source.finished)
    deadline = monotonic() + 30
    while not source.watched.is_set() and monotonic() < deadline:
        wakeup.claimed(["mail"], wakeup.mark())
        wakeup.wait(["mail"], 1)
    wakeup.close()
    assert source.watched.is_set()


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (Unavailable("gone"), logging.DEBUG),
        (BackendError("not allowed"), logging.WARNING),
        (OSError(errno.EMFILE, "Too many open files"), logging.WARNING),
    ],
    ids=["down", "refused", "crowded"],
)
def test_an_outage_is_left_to_those_who_use_the_store_to_tell(caplog, error, level):
    caplog.set_level(logging.DEBUG, "taskkit.wakeup")
    watched(Failing(error))
    [record] = caplog.records
    assert record.levelno == level
    assert str(error) in record.getMessage()
    assert record.exc_info is None


def test_a_mistake_of_the_source_does_not_end_the_watch_and_is_told_with_its_place(caplog):
    mistake = KeyError("kind")
    watched(Failing(mistake))
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info[1] is mistake


@pytest.fixture
def no_threads(monkeypatch):
    """The system starts no thread, until this is called."""

    def refuse(_thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    return monkeypatch.undo


def test_who_waits_is_told_that_no_thread_can_watch_and_later_one_does(no_threads):
    source = Failing()
    wakeup = Wakeup(source, source.finished)
    wakeup.claimed(["mail"], wakeup.mark())
    for wait in (lambda: wakeup.wait(["mail"], 5), lambda: wakeup.wait_done("mail_1", 5)):
        with pytest.raises(Unavailable, match="watch the store: can't start new thread"):
            wait()
    assert not wakeup.has_awaited()
    assert not wakeup.has_claimers()
    no_threads()
    assert wakeup.wait(["mail"], 30)
    assert source.watched.wait(30)
    wakeup.close()
    assert not wakeup.is_wanted()


class Quiet:
    """A source that has nothing to tell."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def watch(self, room):
        while room.is_wanted():
            self._rung.wait()
            self._rung.clear()

    def interrupt(self):
        self._rung.set()


def in_a_thread(action):
    """Return what an action returns in a thread of its own."""
    found = []
    thread = threading.Thread(target=lambda: found.append(action()))
    thread.start()
    thread.join(60)
    return found[0]


def test_what_one_claimer_has_seen_is_news_for_another_that_claimed_before_it():
    wakeup = Wakeup(Quiet(), set)

    def claim():
        wakeup.claimed(["mail"], wakeup.mark())

    def other():
        claim()
        wakeup.claimable()
        return wakeup.wait(["mail"], 30), wakeup.wait(["mail"], 0)

    claim()
    assert in_a_thread(other) == (True, False)
    in_a_thread(claim)
    assert wakeup.wait(["mail"], 0)
    assert not wakeup.wait(["mail"], 0)
    wakeup.close()


def test_who_waits_for_another_thread_that_claims_is_woken_by_what_comes_after_it_was_woken():
    wakeup = Wakeup(Quiet(), set)
    wakeup.wait(["mail"], 0)
    assert not wakeup.wait(["mail"], 0)
    wakeup.claimable()
    in_a_thread(lambda: wakeup.claimed(["mail"], wakeup.mark()))
    assert wakeup.wait(["mail"], 0)  # that claim may have been somebody else's
    assert not wakeup.wait(["mail"], 0)
    wakeup.close()
