"""What a worker does with what its heartbeat brings back, and with its claims when it must end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from taskkit.errors import AttemptCancelled
from taskkit.groups import covered
from taskkit.records import Heartbeat
from taskkit.worker.interrupt import abandon, interrupt
from taskkit.worker.ledger import Key, Verdict

if TYPE_CHECKING:
    from taskkit.context import TaskContext
    from taskkit.worker.claimer import Claimer
    from taskkit.worker.deadlines import Deadlines
    from taskkit.worker.ledger import Ledger
    from taskkit.worker.station import Slots


class Control:
    """Acts on claims that are held, wherever they are: ready, just being taken, or running.

    Verdicts are written into the ledger first and running attempts interrupted afterwards; slots
    open an attempt first and look into the ledger afterwards. So none slips through between.
    """

    def __init__(
        self,
        slots: Sequence[Slots],
        ledger: Ledger,
        claimer: Claimer,
        deadlines: Deadlines,
        on_stopped: Callable[[], object],
    ) -> None:
        self._slots = slots
        self._ledger = ledger
        self._claimer = claimer
        self._deadlines = deadlines
        self._on_stopped = on_stopped
        self._stopped: frozenset[str] = frozenset()

    def obey(self, answer: Heartbeat, held: Sequence[Key]) -> None:
        """Do what the answer to a heartbeat that named the claims ``held`` asks for.

        It tells ids, and is meant of the claims that were named: one that this worker got since, of
        the same task, is another.
        """
        if answer.cancelled:
            self._cancel(frozenset(_newest(held, answer.cancelled).items()))
        if answer.void:
            self._drop(_void(held, answer.void))
        if answer.stopped - self._stopped:
            self._stop(answer.stopped)
        self._claimer.exclude(answer.paused | self._stopped)

    def drop_everything(self) -> None:
        """Disown all that is held: other workers may have it already."""
        self._ledger.revoke_all()
        for slots in self._slots:
            claims = slots.take_back()
            self._ledger.forget([(claim.task.id, claim.token) for claim in claims])
        self._disown(self._running())

    def release_ready(self) -> None:
        """Give back what no slot has taken yet."""
        for slots in self._slots:
            self._claimer.release(slots.take_back())

    def release_running(self) -> None:
        """Give back what is running; whatever becomes of it here counts for nothing."""
        self._ledger.close()
        for context in self._running():
            if abandon(context, AttemptCancelled):
                self._claimer.release([context.claim])

    def _running(self) -> Iterator[TaskContext]:
        for slots in self._slots:
            yield from slots.contexts()

    def _cancel(self, keys: frozenset[Key]) -> None:
        self._ledger.revoke(keys, Verdict.CANCEL)
        for context in self._running():
            if context.key in keys and interrupt(context, AttemptCancelled):
                self._deadlines.hurry(context)

    def _drop(self, keys: frozenset[Key]) -> None:
        self._ledger.revoke(keys, Verdict.FORGET)
        self._disown(context for context in self._running() if context.key in keys)

    def _disown(self, contexts: Iterator[TaskContext]) -> None:
        for context in contexts:
            if abandon(context, AttemptCancelled):
                self._ledger.forget([context.key])

    def _stop(self, groups: frozenset[str]) -> None:
        self._stopped |= groups
        self._claimer.exclude((self._claimer.excluding or frozenset()) | self._stopped)
        for slots in self._slots:
            if covered(slots.group, by=self._stopped):
                self._claimer.release(slots.take_back())
        if all(covered(slots.group, by=self._stopped) for slots in self._slots):
            self._on_stopped()


def _newest(held: Sequence[Key], ids: frozenset[str]) -> dict[str, int]:
    """Return the newest token under which each of these tasks was named."""
    newest: dict[str, int] = {}
    for task_id, token in held:
        if task_id in ids:
            newest[task_id] = max(token, newest.get(task_id, token))
    return newest


def _void(held: Sequence[Key], ids: frozenset[str]) -> frozenset[Key]:
    """Return the claims that are void where the store says it of these tasks.

    A task is named under two tokens where this worker claimed it again before it learned that its
    settlement of the old claim took effect; then the old one is meant. If the newest is void too,
    the next heartbeat, which names no other, says so.
    """
    newest = _newest(held, ids)
    named = [key for key in held if key[0] in ids]
    old = [key for key in named if key[1] < newest[key[0]]]
    twice = {task_id for task_id, _ in old}
    return frozenset([*old, *(key for key in named if key[0] not in twice)])
