"""Waiting by polling misses nothing and ends when it is told to."""

import threading

from taskkit.clock import monotonic
from taskkit.simple.polling import Poller


def test_what_changed_since_the_last_wait_wakes():
    version = [0]
    poller = Poller(lambda: version[0], interval=0.001)
    assert poller.wait(["a"], 60), "nobody knows what happened before"
    assert not poller.wait(["a"], 0)
    version[0] += 1
    assert poller.wait(["a"], 60)
    assert not poller.wait(["a"], 0.002)


def test_each_thread_and_each_set_of_groups_has_its_own_memory():
    """What one of them was sent to claim tells nothing about the others."""
    version = [0]
    poller = Poller(lambda: version[0], interval=0.001)
    answers = []

    def other():
        answers.append(poller.wait(["a"], 0))

    for groups in (["a"], ["b"]):
        assert poller.wait(groups, 0)
    version[0] += 1
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert answers == [True]
    assert poller.wait(["a"], 0)
    assert poller.wait(["b"], 0)


def test_closing_ends_every_wait():
    poller = Poller(lambda: 0, interval=60)
    poller.wait(["a"], 0)
    threading.Timer(0.02, poller.close).start()
    began = monotonic()
    assert not poller.until(lambda: False, 60)
    assert not poller.wait(["a"], 60)
    assert monotonic() - began < 30
