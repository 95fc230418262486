"""The thread that sweeps beside the work."""

from __future__ import annotations

import threading

import pytest

from taskkit.errors import Unavailable
from taskkit_relational import sweeping
from taskkit_relational.sweeping import Sweeper


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(sweeping, "_SECONDS", 0.001)


def _busy(sweeper):
    for _ in range(sweeping._WORTH):
        sweeper.worked()


def test_a_busy_process_sweeps_and_an_idle_one_ends_its_thread():
    swept = threading.Semaphore(0)
    sweeper = Sweeper(swept.release)
    _busy(sweeper)
    assert swept.acquire(timeout=10)
    thread = sweeper._thread
    if thread is not None:
        thread.join(10)
    assert sweeper._thread is None
    _busy(sweeper)
    assert swept.acquire(timeout=10)
    sweeper.close()


def test_a_little_work_sweeps_nothing():
    sweeper = Sweeper(lambda: pytest.fail("swept"))
    for _ in range(sweeping._WORTH - 1):
        sweeper.worked()
    assert sweeper._thread is None


def test_a_store_that_is_away_is_tried_again():
    tried = threading.Semaphore(0)

    def sweep():
        tried.release()
        raise Unavailable("away")

    sweeper = Sweeper(sweep)
    for _ in range(3):
        _busy(sweeper)
        assert tried.acquire(timeout=10)
    sweeper.close()


def test_nothing_is_swept_after_the_end():
    sweeper = Sweeper(lambda: pytest.fail("swept"))
    sweeper.close()
    _busy(sweeper)
    assert sweeper._thread is None
