"""What a process that user code forks inherits of ours, and gives up before it does anything else.

A task may fork: ``multiprocessing`` does. The fork is not the worker, though it has its handlers:
SIGTERM has to end it, and the worker may not hear of that. Only the forks that taskkit makes itself
(``fork``) keep all, because they are made to.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias

_Handler: TypeAlias = Callable[[int, FrameType | None], object]


class _Forking(threading.local):
    """What the thread that forks has to know again behind the fork."""

    ours = False
    mask: frozenset[int] = frozenset()


_forking = _Forking()
_handlers: dict[int, _Handler] = {}
"""By signal: the handlers of this process that are no fork's."""
_ringer: socket.socket | None = None


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


def fork() -> int:
    """Fork as ``os.fork`` does, into a process of taskkit's own that inherits all."""
    _forking.ours = True
    try:
        return os.fork()
    finally:
        _forking.ours = False


def _before() -> None:
    # Until the fork has given up our handlers, its signals wait: one that came earlier would be
    # taken for ours, and lost to the fork.
    _forking.mask = frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, _handlers))


def _in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _in_child() -> None:
    if not _forking.ours:
        _be_nobody()
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _be_nobody() -> None:
    ringer = signal.set_wakeup_fd(-1)
    if ringer != -1 and (_ringer is None or ringer != _ringer.fileno()):
        # User code has set its own, which is its own affair.
        signal.set_wakeup_fd(ringer)
    for number, handler in _handlers.items():
        if signal.getsignal(number) is handler:
            signal.signal(number, signal.SIG_DFL)


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
