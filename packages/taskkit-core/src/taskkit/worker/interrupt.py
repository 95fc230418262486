"""Ending an attempt from outside, without ever hitting the next one.

Python can raise an exception in another thread (``PyThreadState_SetAsyncExc``), but not "in this
task of that thread": the exception lands at the thread's next bytecode boundary, whatever it runs
by then. Three steps make it safe, and cost a task that nobody interrupts two attribute accesses:

1.  Each attempt has a context of its own, ``open`` while the task may be interrupted. To interrupt:
    under the lock, first set ``context.interrupted``, then deliver if ``context.open``.
2.  The slot ends an attempt in the opposite order: first ``open = False``, then look at
    ``interrupted``. Whichever way the two threads interleave, either the interrupter sees that the
    attempt is over and delivers nothing, or the slot sees that it was interrupted.
3.  A slot that sees it calls ``absorb``: it takes the lock, so the delivery is over, and clears an
    exception that is pending in its own thread. Only then does it take the next claim.

Where the task's work is elsewhere (a coroutine on the loop, a child process), ``context.relay``
carries the interruption there; whoever sets a relay looks at ``interrupted`` afterwards, for the
same reason.
"""

from __future__ import annotations

import threading
from typing import Final

from taskkit.context import Interruption, TaskContext
from taskkit.errors import AttemptCancelled, AttemptTimedOut

INTERRUPTIONS: Final = (AttemptTimedOut, AttemptCancelled)

_lock = threading.Lock()


class _Absorbed(BaseException):
    """Takes the place of an interruption that came too late."""


def interrupt(context: TaskContext, error: Interruption, *, hard: bool = False) -> bool:
    """Raise ``error`` inside an attempt, once; return whether it was still running.

    Args:
        context: The attempt.
        error: What it is told.
        hard: Also kill it where it can be killed, whether or not it was told before.
    """
    with _lock:
        first = context.interrupted is None
        if first:
            context.interrupted = error
        if not context.open:
            return False
        _deliver(context, error, first, hard)
        return True


def abandon(context: TaskContext, error: Interruption) -> bool:
    """Interrupt an attempt and disown it: whatever it still does, its slot settles nothing.

    Returns:
        Whether it was still running. If so its claim is the caller's to settle; if not, its slot
        has settled it, or is about to.
    """
    with _lock:
        first = context.interrupted is None
        if first:
            context.interrupted = error
        if not context.open:
            return False
        context.abandoned = True
        _deliver(context, error, first, hard=True)
        return True


def absorb(context: TaskContext) -> None:
    """Wait until a delivery to this thread is over, and take what it left pending."""
    with _lock:
        if context.thread is None:
            return
    # Replaced by one that arrives, not cleared: after SetAsyncExc(NULL) CPython 3.11 keeps the mark
    # "an exception is pending" for good, and a function that is entered under a profiler, a
    # debugger or coverage spins for ever.
    try:
        _raise_in(context.thread, _Absorbed)
        while True:
            pass
    except _Absorbed:
        return


def _deliver(context: TaskContext, error: Interruption, first: bool, hard: bool) -> None:
    if context.relay is not None:
        if first or hard:
            context.relay(error, hard)
    elif context.thread is not None and first:
        _raise_in(context.thread, error)


def _raise_in(thread: int, error: Interruption | type[_Absorbed]) -> None:
    import ctypes  # a megabyte that most workers never need

    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
