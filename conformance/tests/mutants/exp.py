"""Mutants of expiry."""

from __future__ import annotations

from mutants.mutant import around, mutant
from taskkit.memory import operations
from taskkit.memory.state import Memory
from taskkit.task import EXPIRED


@mutant(113, "EXP-01", "compares expires with < instead of <=")
def expires_late(patch):
    @around(patch, Memory, "enqueue")
    def enqueue(real, self, entry, now):
        real(self, entry, now)
        if entry.task.expires is not None:
            self._expiring.push(entry.task.id, entry.task.expires + 1)


@mutant(114, "EXP-01", "removes an expired task instead of cancelling it")
def removes_expired(patch):
    @around(patch, Memory, "finish")
    def finish(real, self, entry, state, now, **how):
        real(self, entry, state, now, **how)
        failure = how.get("failure")
        if failure is not None and failure.type == EXPIRED:
            self.remove(entry, now)


@mutant(115, "EXP-01", "keeps the expires of a requeued task")
def requeue_keeps_expires(patch):
    @around(patch, operations, "replace")
    def replaced(real, task, **changes):
        changes.pop("expires", None)
        return real(task, **changes)


@mutant(176, "EXP-01", "forgets that a task may expire once it has been claimed")
def never_after_a_claim(patch):
    @around(patch, Memory, "enqueue")
    def enqueue(real, self, entry, now):
        real(self, entry, now)
        if entry.attempt:
            self._expiring.discard(entry.task.id)
