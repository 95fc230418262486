"""Mutants of retry."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit.clock import SECOND
from taskkit.errors import InvalidInput
from taskkit.memory import queue
from taskkit.memory.entry import Entry
from taskkit.memory.incoming import resolve
from taskkit.memory.state import Memory
from taskkit.records import Outcome


@mutant(32, "RTY-01", "leaves a retried task among those that its worker runs")
def stays_with_its_worker(patch):
    @around(patch, queue, "_end_attempt")
    def end_attempt(real, memory, entry, settlement, now):
        worker = entry.worker
        real(memory, entry, settlement, now)
        if settlement.outcome is Outcome.RETRY:
            worker.running[entry.task.id] = entry


@mutant(33, "RTY-02", "resets `created` with a retry")
def resets_created(patch):
    @around(patch, queue, "_retry")
    def retry(real, memory, entry, settlement, now):
        real(memory, entry, settlement, now)
        entry.task = replace(entry.task, created=now)


@mutant(181, "RTY-02", "counts a retry twice")
def counts_twice(patch):
    @around(patch, queue, "_retry")
    def retry(real, memory, entry, settlement, now):
        real(memory, entry, settlement, now)
        entry.task = replace(entry.task, retry_count=entry.task.retry_count + 1)


@mutant(34, "RTY-03", "shows the failure of a retried task as its outcome")
def keeps_outcome(patch):
    @around(patch, queue, "_retry")
    def retry(real, memory, entry, settlement, now):
        real(memory, entry, settlement, now)
        entry.failure = settlement.failure


@mutant(35, "RTY-06", "counts a retry again when it is repeated")
def repetition_counts(patch):
    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        entry = memory.tasks.get(settlement.task_id)
        again = entry is not None and entry.settled == settlement.token
        if again and settlement.outcome is Outcome.RETRY:
            entry.task = replace(entry.task, retry_count=entry.task.retry_count + 1)
        return real(memory, settlement, now)


@mutant(36, "RTY-07", "stores a removed task again when it is retried")
def retry_recreates(patch):
    ghosts = {}

    @around(patch, Memory, "remove")
    def remove(real, self, entry, now):
        real(self, entry, now)
        ghosts[entry.task.id] = entry.task

    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        ghost = ghosts.get(settlement.task_id)
        if ghost and ghost.id not in memory.tasks and settlement.outcome is Outcome.RETRY:
            memory.enqueue(memory.add(ghost), now)
            return True
        return real(memory, settlement, now)


@mutant(93, "RTY-04", "lets a retried task wait a second longer")
def waits_longer(patch):
    @around(patch, queue, "_retry")
    def retry(real, memory, entry, settlement, now):
        due = resolve(settlement.due, now) + SECOND
        real(memory, entry, replace(settlement, due=due), now)


@mutant(94, "RTY-05", "refuses a retry that is due at once")
def refuses_zero(patch):
    @around(patch, queue, "_retry")
    def retry(real, memory, entry, settlement, now):
        if resolve(settlement.due, now) <= now:
            raise InvalidInput("expected a due in the future")
        real(memory, entry, settlement, now)


@mutant(95, "RTY-08", "keeps the newest failure first")
def newest_first(patch):
    @around(patch, Entry, "past")
    def past(real, self):
        return real(self)[::-1]
