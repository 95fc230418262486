"""Mutants that break one sentence on retries, results or labels, and it alone."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit.clock import SECOND
from taskkit.errors import InvalidInput
from taskkit.memory import queue, reading
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.incoming import resolve
from taskkit.records import Outcome
from taskkit.task import After, State


@mutant(277, "RTY-01", "does not know a task while it is retried", lane="interleave")
def unknown_for_a_moment(patch):
    hidden = set()

    @around(patch, MemoryBackend, "settle")
    def settle(_real, self, worker_id, settlements):
        retried = {each.task_id for each in settlements if each.outcome is Outcome.RETRY}
        with self._lock:
            hidden.update(retried)
            answers = queue.settle(self._memory, settlements)
        with self._lock:
            hidden.difference_update(retried)
        return answers

    @around(patch, reading, "get")
    def get(real, memory, ids):
        return real(memory, ids) | dict.fromkeys(hidden & set(ids))


@mutant(278, "RTY-03", "tells those who wait that a retried task is over")
def retried_is_over(patch):
    @around(patch, reading, "is_over")
    def is_over(real, memory, task_id):
        entry = memory.tasks.get(task_id)
        again = entry is not None and entry.state is State.QUEUED and entry.task.retry_count
        return bool(again) or real(memory, task_id)


def _retries(patch, change):
    @around(patch, queue, "_retry")
    def retry(real, memory, entry, settlement, now):
        real(memory, entry, replace(settlement, due=change(settlement.due, now)), now)


@mutant(279, "RTY-04", "makes the delay of a retry a microsecond shorter")
def short_retry(patch):
    def change(due, _now):
        return After(due.delay - 1) if isinstance(due, After) and due.delay > 0 else due

    _retries(patch, change)


@mutant(280, "RTY-05", "refuses a retry whose due lies an hour back")
def refuses_the_old(patch):
    def change(due, now):
        if due is not None and resolve(due, now) < now - 3600 * SECOND:
            raise InvalidInput("expected a due within the last hour")
        return due

    _retries(patch, change)


@mutant(281, "RTY-06", "counts a retry again when it comes a third time")
def third_time_counts(patch):
    times = {}

    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        stands = real(memory, settlement, now)
        entry = memory.tasks.get(settlement.task_id)
        if stands and entry is not None and settlement.outcome is Outcome.RETRY:
            key = id(entry), settlement.token
            times[key] = times.get(key, 0) + 1
            if times[key] == 3:
                entry.task = replace(entry.task, retry_count=entry.task.retry_count + 1)
        return stands


@mutant(282, "RES-01", "gives long results of one call the bytes of the first of them")
def long_results_alike(patch):
    @around(patch, queue, "settle")
    def settle(real, memory, settlements):
        long = [each.result for each in settlements if len(each.result or b"") > 16]
        return real(
            memory,
            [
                replace(each, result=long[0]) if each.result in long else each
                for each in settlements
            ],
        )


@mutant(283, "RES-01", "gives a result that is no text back in quotes")
def quotes_what_is_no_text(patch):
    # Found in MySQL, by its older drivers.
    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        try:
            (settlement.result or b"").decode()
        except UnicodeDecodeError:
            settlement = replace(settlement, result=b"'" + settlement.result + b"'")
        return real(memory, settlement, now)


@mutant(284, "RES-07", "forgets a result once somebody has waited for it")
def forgets_after_waiting(patch):
    @around(patch, MemoryBackend, "wait_done")
    def wait_done(real, self, task_id, timeout):
        done = real(self, task_id, timeout)
        entry = self.memory.tasks.get(task_id)
        if entry is not None and entry.state is State.SUCCEEDED:
            entry.result = None
        return done


@mutant(285, "HIS-03", "takes the label 1 for the text that reads the same")
def numbers_like_text(patch):
    def plain(value):
        return str(value) if type(value) is int else value

    @around(patch, reading, "_has")
    def has(real, labels, wanted):
        labels = {key: plain(value) for key, value in labels.items()}
        return real(labels, {key: plain(value) for key, value in wanted.items()})
