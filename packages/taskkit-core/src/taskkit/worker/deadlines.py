"""Attempts that take longer than they may: told first, then given up.

A task whose ``timeout`` is used up has ``AttemptTimedOut`` raised inside it, and its retry rule
decides. A thread that blocks in C code (a lock, a socket without a timeout) does not notice. After
a margin the worker gives that attempt up: it reports where the thread is, settles the claim in the
thread's place, opens another slot, and asks to be recycled, because a thread cannot be killed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from taskkit.clock import monotonic
from taskkit.errors import AttemptCancelled, AttemptTimedOut
from taskkit.worker.interrupt import abandon, interrupt

if TYPE_CHECKING:
    from taskkit.context import TaskContext
    from taskkit.records import Settlement
    from taskkit.worker.execution import Execution
    from taskkit.worker.station import Slots

MARGIN: Final = 5.0
"""Seconds that a task gets, at least, to end after it was told to; …"""
MARGIN_SHARE: Final = 0.1
"""… more where its timeout is long: cleaning up after an hour takes longer than after a second."""

_log = logging.getLogger("taskkit.worker.deadlines")


class Deadlines:
    """Looks at running attempts when the earliest of their deadlines comes.

    Attempts are not registered, which would cost every task with a timeout a lock and a heap. A
    slot writes the deadline into its context and compares it with ``earliest``; ``check`` reads
    the contexts of all slots. While it reads, ``earliest`` is infinite, so that whoever begins
    meanwhile wakes it again.

    Args:
        slots: All slots of the worker.
        execution: Decides what becomes of a task that is given up.
        settle: Takes that decision.
        wake: Makes the runtime call ``check`` soon.
        on_stuck: Called when a thread was given up.
    """

    def __init__(
        self,
        slots: Iterable[Slots],
        execution: Execution,
        settle: Callable[[Settlement], object],
        wake: Callable[[], object],
        on_stuck: Callable[[], object],
    ) -> None:
        self._slots = tuple(slots)
        self._execution = execution
        self._settle = settle
        self._wake = wake
        self._on_stuck = on_stuck
        self.earliest = float("inf")

    def watch(self, deadline: float) -> None:
        """Take note that an attempt with this deadline has begun. Called by slots."""
        if deadline < self.earliest:
            self._wake()

    def hurry(self, context: TaskContext) -> None:
        """Kill an attempt that was cancelled if it does not end within the margin, if possible."""
        if context.killable:
            context.overdue = True
            context.deadline = monotonic() + MARGIN
            self._wake()

    def check(self) -> float:
        """Do what is due; return in how many seconds to call again, infinity if nothing is."""
        self.earliest = float("inf")
        now = monotonic()
        soonest = float("inf")
        for slots in self._slots:
            for context in slots.contexts():
                if context.deadline is not None and context.deadline <= now:
                    self._act(slots, context, now)
                if context.deadline is not None:
                    soonest = min(soonest, context.deadline)
        self.earliest = soonest
        return max(soonest - monotonic(), 0.0)

    def _act(self, slots: Slots, context: TaskContext, now: float) -> None:
        if not context.overdue:
            context.overdue = True
            context.deadline = now + max(MARGIN, (context.task.timeout or 0.0) * MARGIN_SHARE)
            interrupt(context, AttemptTimedOut)
            return
        context.deadline = None
        if context.killable:
            interrupt(context, context.interrupted or AttemptCancelled, hard=True)
            return
        stack = slots.stack(context)
        if not abandon(context, AttemptTimedOut):
            return  # it has ended after all, in this very moment, and its slot settles it
        error = AttemptTimedOut(
            f"blocked beyond its timeout of {context.task.timeout} s, where it could not be ended"
        )
        # Abandoned, its slot settles nothing any more, even if it comes back before it is replaced.
        is_stuck = slots.replace(context)
        self._settle(self._execution.judge(context.claim, context, error))
        if not is_stuck:
            return
        _log.error(
            "%s: still blocked %.0f s after its timeout of %s s; given up. It is here:\n%s",
            context.id,
            max(MARGIN, (context.task.timeout or 0.0) * MARGIN_SHARE),
            context.task.timeout,
            stack,
        )
        self._on_stuck()
