"""Mutants of results."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit.clock import SECOND
from taskkit.memory import operations, queue, reading
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.state import Memory
from taskkit.records import Outcome, Record
from taskkit.task import Failure, State, Task


@mutant(40, "RES-01", "takes an empty result for none")
def empty_is_none(patch):
    @around(patch, Memory, "finish")
    def finish(real, self, entry, state, now, *, result=None, failure=None):
        real(self, entry, state, now, result=result or None, failure=failure)


def _changes_failures(patch, change):
    @around(patch, Memory, "finish")
    def finish(real, self, entry, state, now, *, result=None, failure=None):
        failure = failure and Failure(failure.type, change(failure.message), failure.traceback)
        real(self, entry, state, now, result=result, failure=failure)


@mutant(41, "RES-02", "cuts the text of an error at 255 characters")
def cuts_errors(patch):
    _changes_failures(patch, lambda text: text[:255])


@mutant(187, "RES-02", "drops what is not of the basic plane from the text of an error")
def drops_characters(patch):
    _changes_failures(patch, lambda text: "".join(c for c in text if 0 < ord(c) < 0x10000))


@mutant(42, "RES-04", "lets a later outcome replace the first")
def later_outcome(patch):
    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        entry = memory.tasks.get(settlement.task_id)
        later = entry is not None and entry.settled == settlement.token and entry.state.finished
        if later and settlement.outcome is Outcome.SUCCEED:
            memory.unfinish(entry)
            memory.finish(entry, State.SUCCEEDED, now, result=settlement.result)
            return True
        return real(memory, settlement, now)


@mutant(188, "RES-04", "refuses an outcome that is repeated")
def refuses_repetition(patch):
    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        entry = memory.tasks.get(settlement.task_id)
        if entry is not None and entry.settled == settlement.token:
            return False
        return real(memory, settlement, now)


@mutant(43, "RES-05", "takes the instant 0 for now")
def zero_is_now(patch):
    @around(patch, operations, "purge")
    def purge(real, memory, limit, states, older_than):
        if older_than == 0:
            older_than = memory.tick()
        return real(memory, limit, states, older_than)


@mutant(44, "RES-06", "compares the end of the ttl with < instead of <=")
def kept_too_long(patch):
    @around(patch, Memory, "finish")
    def finish(real, self, entry, state, now, **how):
        real(self, entry, state, now, **how)
        self.kept.push(entry.task.id, now + round(entry.task.ttl * SECOND) + 1)


@mutant(189, "RES-06", "reckons the ttl from when a task was put")
def ttl_from_the_put(patch):
    @around(patch, Memory, "finish")
    def finish(real, self, entry, state, now, **how):
        real(self, entry, state, now, **how)
        self.kept.push(entry.task.id, entry.task.created + round(entry.task.ttl * SECOND))


@mutant(45, "RES-07", "deletes a result that has been read")
def reads_once(patch):
    @around(patch, reading, "get")
    def get(real, memory, ids):
        found = real(memory, ids)
        for task_id in ids:
            if task_id in memory.tasks:
                memory.tasks[task_id].result = None
        return found


@mutant(46, "RES-08", "marks a task as done before it has its result", lane="interleave")
def done_before_result(patch):
    @around(patch, MemoryBackend, "settle")
    def settle(_real, self, worker_id, settlements):
        tasks = self._memory.tasks
        with self._lock:
            answers = queue.settle(self._memory, settlements)
            entries = [tasks[each.task_id] for each in settlements if each.task_id in tasks]
            results = [entry.result for entry in entries]
            for entry in entries:
                entry.result = None
        with self._lock:
            for entry, result in zip(entries, results, strict=True):
                entry.result = result
        return answers


@mutant(91, "RES-03", "answers for an unknown id that there is no result yet")
def unknown_is_unfinished(patch):
    @around(patch, reading, "get")
    def get(real, memory, ids):
        found = real(memory, ids)
        for task_id in ids:
            if found[task_id] is None:
                blank = Task(task_id, task_id.rpartition("_")[0], "n", b"", 0, 0)
                found[task_id] = Record(blank, State.QUEUED)
        return found


@mutant(190, "RES-03", "waits for a task that is lost as if it were not over")
def lost_is_not_over(patch):
    @around(patch, reading, "is_over")
    def is_over(real, memory, task_id):
        entry = memory.tasks.get(task_id)
        return real(memory, task_id) and not (entry and entry.state is State.LOST)


@mutant(92, "RES-09", "queues a task that was recorded, too")
def record_queues(patch):
    @around(patch, operations, "record")
    def record(real, memory, task, outcome, began):
        answer = real(memory, task, outcome, began)
        if answer:
            entry = memory.tasks[task.id]
            before = entry.state
            memory.enqueue(entry, memory.tick())
            entry.state = before
        return answer


@mutant(191, "RES-09", "lets a record replace a task that is known")
def record_replaces(patch):
    @around(patch, operations, "record")
    def record(real, memory, task, outcome, began):
        entry = memory.tasks.get(task.id)
        if entry is not None and entry.state.finished:
            entry.result, entry.task = outcome.result, replace(entry.task, data=task.data)
        return real(memory, task, outcome, began)


@mutant(216, "RES-04", "settles the successes of a batch before the rest")
def successes_first(patch):
    # Found in SQLite, where plain successes are one statement of their own.
    @around(patch, queue, "settle")
    def settle(real, memory, settlements):
        order = sorted(
            range(len(settlements)), key=lambda at: settlements[at].outcome is not Outcome.SUCCEED
        )
        answers = dict(zip(order, real(memory, [settlements[at] for at in order]), strict=True))
        return [answers[at] for at in range(len(settlements))]
