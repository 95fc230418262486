"""What a process that user code forks inherits of ours, and gives up before it does anything else.

A task may fork: ``multiprocessing`` does. The fork is not the worker, though it has its handlers:
SIGTERM has to end it, and the worker may not hear of that. Nor may it hold a line of ours open,
whose end-of-file tells that a process has died. Only the forks that taskkit makes itself (``fork``)
keep all, because they are made to.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final, TypeAlias
from weakref import WeakSet

_Handler: TypeAlias = Callable[[int, FrameType | None], object]


class _Forking(threading.local):
    """What the thread that forks has to know again behind the fork."""

    ours = False
    mask: frozenset[int] = frozenset()


_forking = _Forking()
_handlers: dict[int, _Handler] = {}
"""By signal: the handlers of this process that are no fork's."""
_ringer: socket.socket | None = None
_withheld: Final[WeakSet[socket.socket]] = WeakSet()
_opening: Final = threading.RLock()
"""Held while sockets are open and not withheld yet, and while a thread forks."""


def answer(number: int, handler: _Handler) -> None:
    """Handle a signal in this process; in a fork it does again what it does by default."""
    _handlers[number] = handler
    signal.signal(number, handler)


def ring(ringer: socket.socket) -> None:
    """Have each signal that this process handles write its number here; not so in a fork."""
    global _ringer  # noqa: PLW0603 - what belongs to the process, as signals do
    _ringer = ringer
    ringer.setblocking(False)
    signal.set_wakeup_fd(ringer.fileno(), warn_on_full_buffer=False)


def withhold(end: socket.socket) -> None:
    """Keep a socket to this process: no fork has it open, and no program that is started here.

    The processes that are made to have it get its descriptor.
    """
    end.set_inheritable(False)
    _withheld.add(end)


def withheld_pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends of a connection, withheld before any other thread can fork."""
    with _opening:
        near, far = socket.socketpair()
        withhold(near)
        withhold(far)
    return near, far


def forget_withheld() -> None:
    """Close nothing in forks: what this process had withheld is closed, and its numbers others'."""
    _withheld.clear()


def fork() -> int:
    """Fork as ``os.fork`` does, into a process of taskkit's own that inherits all."""
    _forking.ours = True
    try:
        return os.fork()
    finally:
        _forking.ours = False


def _before() -> None:
    _opening.acquire()
    # Until the fork has given up our handlers, its signals wait: one that came earlier would be
    # taken for ours, and lost to the fork.
    _forking.mask = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, _handlers))


def _after() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)
    _opening.release()


def _in_child() -> None:
    if not _forking.ours:
        _be_nobody()
    _after()


def _be_nobody() -> None:
    ringer = signal.set_wakeup_fd(-1)
    if ringer != -1 and (_ringer is None or ringer != _ringer.fileno()):
        # User code has set its own, which is its own affair.
        signal.set_wakeup_fd(ringer)
    for number, handler in _handlers.items():
        if signal.getsignal(number) is handler:
            signal.signal(number, signal.SIG_DFL)
    for end in list(_withheld):
        # Once only, also in forks of this one: the object knows that it is closed.
        end.close()


os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_in_child)
