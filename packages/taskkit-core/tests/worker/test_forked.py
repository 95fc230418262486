"""The end of a forked template, as its supervisor sees it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from taskkit.worker.forked import _Forked

SLEEPING = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture
def child():
    """A child, and what the supervisor keeps of one that it has forked."""
    process = subprocess.Popen(SLEEPING)
    yield process, _Forked(process.pid)
    process.kill()
    process.wait()


def test_it_is_waited_for_until_it_has_ended(child):
    _, forked = child
    with pytest.raises(subprocess.TimeoutExpired):
        forked.wait(0.01)
    assert forked.returncode is None
    forked.kill()
    assert forked.wait(60) == -signal.SIGKILL
    assert forked.returncode == -signal.SIGKILL
    forked.kill()  # somebody else may have its number now


def test_that_somebody_else_has_waited_is_no_error(child):
    process, forked = child
    process.kill()
    process.wait()
    assert forked.wait(60) == 0
