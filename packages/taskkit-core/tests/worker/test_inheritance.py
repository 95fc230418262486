"""What a fork gives up of what it inherits, and what is left to it."""

from __future__ import annotations

import os
import signal
import socket
import sys

import pytest

from taskkit.worker import inheritance

NUMBER = signal.SIGUSR2


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    monkeypatch.setattr(inheritance, "_handlers", {})
    monkeypatch.setattr(inheritance, "_ringer", None)
    handler, ringer = signal.getsignal(NUMBER), signal.set_wakeup_fd(-1)
    yield
    signal.set_wakeup_fd(ringer)
    signal.signal(NUMBER, handler)


@pytest.fixture
def pair():
    ends = inheritance.withheld_pair()
    yield ends
    for end in ends:
        end.close()


def holds_in_fork(check, fork=os.fork) -> bool:
    """Return whether a fork of this process finds it so."""
    pid = fork()
    if pid == 0:
        status = 1
        try:
            status = 0 if check() else 1
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] == 0


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def test_only_forks_of_our_own_keep_what_is_withheld(pair):
    numbers = [end.fileno() for end in pair]
    assert holds_in_fork(lambda: not any(is_open(number) for number in numbers))
    assert holds_in_fork(lambda: all(is_open(number) for number in numbers), inheritance.fork)
    assert all(is_open(number) for number in numbers)


def test_a_fork_of_a_fork_keeps_what_has_the_numbers_now(pair):
    number = pair[0].fileno()

    def fork_again() -> bool:
        other = os.open(os.devnull, os.O_RDONLY)
        if other != number:
            os.dup2(other, number)
        return holds_in_fork(lambda: is_open(number))

    assert holds_in_fork(fork_again)


def test_our_handlers_are_no_forks_and_users_are_theirs():
    inheritance.answer(NUMBER, lambda *_: None)
    assert holds_in_fork(lambda: signal.getsignal(NUMBER) is signal.SIG_DFL)
    assert holds_in_fork(lambda: signal.getsignal(NUMBER) is not signal.SIG_DFL, inheritance.fork)
    signal.signal(NUMBER, signal.SIG_IGN)
    assert holds_in_fork(lambda: signal.getsignal(NUMBER) is signal.SIG_IGN)


def test_signals_in_a_fork_ring_only_where_the_user_wants_it(pair):
    inheritance.ring(pair[1])
    assert holds_in_fork(lambda: signal.set_wakeup_fd(-1) == -1)
    near, far = socket.socketpair()
    with near, far:
        far.setblocking(False)
        signal.set_wakeup_fd(far.fileno())
        # From Python 3.12 on asyncio, once it is imported, takes it from every fork itself.
        is_taken = sys.version_info >= (3, 12) and "asyncio" in sys.modules
        kept = -1 if is_taken else far.fileno()
        assert holds_in_fork(lambda: signal.set_wakeup_fd(-1) == kept)


def test_no_signal_stays_blocked():
    inheritance.answer(NUMBER, lambda *_: None)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert holds_in_fork(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
