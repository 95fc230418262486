"""Orders for processes, on their way to a template."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys

import pytest

from taskkit.clock import monotonic
from taskkit.worker import launcher as launchers
from taskkit.worker.launch import KitReference, describe
from taskkit.worker.launcher import TemplateLauncher
from taskkit.worker.line import Line
from taskkit.worker.messages import Exited, Order, Ready, Started
from taskkit.worker.roster import Dead, Roster


@pytest.fixture
def template(monkeypatch):
    """A launcher, and its line's other end in place of a template process."""
    theirs: list[Line] = []

    def start(payload, far):
        theirs.append(Line(far))
        return subprocess.Popen([sys.executable, "-c", ""])

    monkeypatch.setattr(launchers, "start_template", start)
    launcher = TemplateLauncher(describe(KitReference("nothing:kit")))
    yield launcher, theirs[0]
    theirs[0].close()
    launcher.close()


def take(there: Line) -> list[int]:
    """Receive orders as a template does, and return their numbers."""
    orders = [message for message in there.receive() if isinstance(message, Order)]
    for _ in orders:
        os.close(there.file())
    return [order.number for order in orders]


def test_a_template_has_answered_before_it_gets_many_more_orders(template):
    launcher, there = template
    for number in range(100):
        near, far = Line.pair()
        launcher.launch(Order(number, 0, b""), near, far)
        near.close()
    there.receive()
    assert take(there) == []
    there.send(Ready())
    launcher.events()
    numbers = []
    # Were all sent at once, each side might wait for the other to read, for ever.
    while 0 < len(batch := take(there)) < 50:
        for number in batch:
            there.send(Started(number, 1) if number % 2 else Exited(number, 1))
        numbers += batch
        launcher.events()
    assert numbers == list(range(100))


def test_an_order_that_waits_for_a_hanging_template_can_be_ended(tmp_path, monkeypatch):
    (tmp_path / "hanging.py").write_text("import signal\nsignal.pause()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    # So that it is no fork of pytest.
    monkeypatch.setattr(launchers, "running_threads", lambda: ("another",))
    with selectors.DefaultSelector() as selector:
        roster = Roster(describe(KitReference("hanging:kit")), selector, fork=True)
        try:
            errand = roster.launch_errand(b"", "the dead", frozenset())
            roster.limit(errand, 0.0)
            assert roster.happenings(monotonic()) == [Dead(errand, None, innocent=True)]
            assert not roster
        finally:
            roster.close()
