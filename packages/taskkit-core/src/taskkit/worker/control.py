"""What a worker does with what its heartbeat brings back, and with its claims when it must end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from taskkit.errors import AttemptCancelled
from taskkit.groups import covered
from taskkit.records import Heartbeat
from taskkit.worker.interrupt import abandon, interrupt
from taskkit.worker.ledger import Verdict

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

    def obey(self, answer: Heartbeat) -> None:
        """Do what a heartbeat's answer asks for."""
        if answer.cancelled:
            self._cancel(answer.cancelled)
        if answer.void:
            self._drop(answer.void)
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

    def _cancel(self, ids: frozenset[str]) -> None:
        self._ledger.revoke(ids, Verdict.CANCEL)
        for context in self._running():
            if context.id in ids and interrupt(context, AttemptCancelled):
                self._deadlines.hurry(context)

    def _drop(self, ids: frozenset[str]) -> None:
        self._ledger.revoke(ids, Verdict.FORGET)
        self._disown(context for context in self._running() if context.id in ids)

    def _disown(self, contexts: Iterator[TaskContext]) -> None:
        for context in contexts:
            if abandon(context, AttemptCancelled):
                self._ledger.forget([(context.id, context.claim.token)])

    def _stop(self, groups: frozenset[str]) -> None:
        self._stopped |= groups
        self._claimer.exclude((self._claimer.excluding or frozenset()) | self._stopped)
        for slots in self._slots:
            if covered(slots.group, by=self._stopped):
                self._claimer.release(slots.take_back())
        if all(covered(slots.group, by=self._stopped) for slots in self._slots):
            self._on_stopped()
