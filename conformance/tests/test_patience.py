"""Time limits count only the time in which this process could have computed."""

import pytest

from taskkit_conformance import patience
from taskkit_conformance.patience import Patience, denied_seconds, share_of_a_processor


class Machine:
    """A machine whose time passes as it is told, and that gives this process a share of it."""

    def __init__(self, share=1.0):
        self.now, self.used, self.share = 1000.0, 0.0, share

    def monotonic(self):
        return self.now

    def thread_time(self):
        self.compute(0.0001)
        return self.used

    def compute(self, seconds):
        self.used += seconds
        self.now += seconds / self.share

    def looks(self, limit, pause, most=100_000):
        """Look until the time is used up, and return how long that took."""
        began = self.now
        for _ in range(most):
            if limit.is_over():
                return self.now - began
            self.now += pause
        return None


@pytest.fixture
def machine(monkeypatch):
    made = Machine()
    monkeypatch.setattr(patience, "monotonic", made.monotonic)
    monkeypatch.setattr(patience.time, "thread_time", made.thread_time)
    return made


def test_an_idle_machine_uses_it_up_in_its_seconds(machine):
    assert machine.looks(Patience(10), 0.1) == pytest.approx(10, rel=0.1)


def test_a_busy_machine_uses_it_up_more_slowly(machine):
    machine.share = 0.25
    assert machine.looks(Patience(10), 0.1) == pytest.approx(40, rel=0.1)


def test_a_machine_that_slept_has_used_up_nothing(machine):
    limit = Patience(10)
    assert not limit.is_over()
    machine.now += 3600
    assert not limit.is_over()
    assert machine.looks(limit, 0.1) > 9


def test_it_can_begin_anew(machine):
    limit = Patience(10)
    machine.looks(limit, 0.1)
    limit.begin()
    assert machine.looks(limit, 0.1) == pytest.approx(10, rel=0.1)


def test_the_share_is_what_was_given(machine):
    machine.share = 0.5
    assert share_of_a_processor() == pytest.approx(0.5, rel=0.1)


def test_the_share_of_this_machine_is_a_share():
    assert 0 < share_of_a_processor() <= 1


def test_what_was_denied_never_shrinks():
    assert 0 <= denied_seconds() <= denied_seconds()


def test_what_others_were_denied_can_be_handed_in(monkeypatch, tmp_path):
    counts = tmp_path / "schedstat"
    counts.write_text("1000000000 250000000 7\n")
    monkeypatch.setattr(patience, "_COUNTS", counts)
    monkeypatch.setattr(patience, "_handed_in", {"seconds": 0.0})
    assert denied_seconds() == 0.25
    patience.hand_in()
    assert denied_seconds() == 0.5


def test_nothing_was_denied_where_nobody_counts(monkeypatch, tmp_path):
    monkeypatch.setattr(patience, "_COUNTS", tmp_path / "nothing")
    monkeypatch.setattr(patience, "_handed_in", {"seconds": 0.0})
    assert denied_seconds() == 0.0
