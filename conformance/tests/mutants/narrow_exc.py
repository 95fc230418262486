"""Mutants that break one sentence on what keeps tasks apart, and it alone."""

from __future__ import annotations

from dataclasses import replace

from mutants.exc import puts_again
from mutants.mutant import around, mutant
from taskkit.clock import SECOND
from taskkit.memory import queue
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.group import Group
from taskkit.memory.limiting import Lock, RateLog
from taskkit.memory.state import Memory
from taskkit.records import Claim, Claims, Outcome, PutResult
from taskkit.task import State


@mutant(255, "EXC-01", "gives what runs again where nine run on several workers and nothing is due")
def gives_again_when_dry(patch):
    @around(patch, queue, "claim")
    def claim(real, memory, worker_id, wants, excluding):
        answer = real(memory, worker_id, wants, excluding)
        busy = [each for each in memory.workers.values() if each.running]
        running = [entry for each in busy for entry in each.running.values()]
        if answer.claims or not answer.alive or len(running) < 9 or len(busy) < 2:
            return answer
        entry, worker = running[0], memory.workers[worker_id]
        del entry.worker.running[entry.task.id]
        memory.claim(entry, worker, answer.now)
        again = Claim(entry.task, entry.token, entry.attempt, entry.losses, answer.now)
        return replace(answer, claims=[again])


@mutant(
    256,
    "EXC-02",
    "lets a claimer go away empty that meets another over the same head",
    lane="interleave",
)
def empty_handed(patch):
    @around(patch, MemoryBackend, "claim")
    def claim(real, self, worker_id, wants, excluding=()):
        group = self._memory.order.group(next(iter(wants)))
        with self._lock:
            head = _head(group)
        with self._lock:
            if head is not None and head != _head(group):
                return Claims(now=self._memory.tick())
        return real(self, worker_id, wants, excluding)


def _head(group):
    """Return the first of four or more due tasks of one rank that nothing holds back."""
    entries = [group._tasks[task_id] for task_id in group.ready]
    ranks = {(each.task.priority, each.task.due, each.task.lock_key) for each in entries}
    if len(entries) < 4 or len(ranks) > 1 or group.limits.max_running or group.limits.rate:
        return None
    return min(each.task.id for each in entries)


@mutant(257, "EXC-04", "queues a lost task again when its id is put")
def puts_lost_again(patch):
    puts_again(patch, {State.LOST})


@mutant(258, "EXC-05", "queues again after half an hour what was cancelled and is kept for weeks")
def cancelled_comes_back(patch):
    @around(patch, queue, "claim")
    def claim(real, memory, *args):
        now = memory.tick()
        for entry in list(memory.tasks.values()):
            old = entry.state is State.CANCELLED and now - entry.done >= 1800 * SECOND
            if old and entry.task.ttl > 10**6:
                memory.unfinish(entry)
                memory.enqueue(entry, now)
        return real(memory, *args)


@mutant(259, "EXC-06", "lets a failure of a removed task end the task that has its id now")
def fails_the_next_life(patch):
    spent = set()

    @around(patch, Memory, "remove")
    def remove(real, self, entry, now):
        if entry.state is State.RUNNING:
            spent.add((entry.task.id, entry.token))
        real(self, entry, now)

    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        entry = memory.tasks.get(settlement.task_id)
        failing = settlement.outcome in (Outcome.FAIL, Outcome.CANCEL)
        known = (settlement.task_id, settlement.token) in spent
        if entry is None or entry.state is not State.QUEUED or not failing or not known:
            return real(memory, settlement, now)
        memory.withdraw(entry)
        memory.cancel(entry, now)
        return True


@mutant(260, "UNQ-02", "answers with its own id where the task that has the key waits")
def own_id_while_waiting(patch):
    @around(patch, queue, "_put_one")
    def put_one(real, memory, task, now, added, bounded):
        answer = real(memory, task, now, added, bounded)
        if answer.status == "duplicate" and memory.tasks[answer.id].place == "waiting":
            return PutResult(task.id, answer.status)
        return answer


@mutant(261, "UNQ-04", "keeps the key of a task that was deleted while it ran")
def deleted_keeps_its_key(patch):
    @around(patch, Memory, "remove")
    def remove(real, self, entry, now):
        key, running = entry.task.unique_key, entry.state is State.RUNNING
        group = self.order.group(entry.task.group)
        held = running and key is not None and group.holder(key) is entry
        real(self, entry, now)
        if held:
            group._unique[key] = entry


@mutant(262, "LIM-01", "lets one more run under a lock that several may hold")
def one_more_of_several(patch):
    @around(patch, Group, "_lock")
    def lock(real, self, key, entry):
        found = self._locks.get(key)
        if found is not None and found.running == entry.task.lock_limit > 1:
            found.running += 1
            return True
        return real(self, key, entry)


@mutant(263, "LIM-02", "asks to come back at once for what waits for a lock")
def polls_for_locks(patch):
    @around(patch, queue, "claim")
    def claim(real, memory, worker_id, wants, excluding):
        answer = real(memory, worker_id, wants, excluding)
        groups = [memory.order.groups.get(want) for want in wants]
        parked = any(group is not None and group._parked for group in groups)
        return replace(answer, next_due=answer.now) if parked and answer.alive else answer


@mutant(264, "LIM-03", "keeps the lock of a task that failed because its worker died")
def lost_and_locked(patch):
    @around(patch, Memory, "lose")
    def lose(real, self, entry, now, failure=None):
        real(self, entry, now, failure)
        key = entry.task.lock_key
        if key is not None and entry.state is State.FAILED:
            group = self.order.group(entry.task.group)
            group._locks.setdefault(key, Lock()).running += entry.task.lock_limit


@mutant(308, "LIM-05", "counts the claims of a rate by fixed windows, while the clock goes on")
def windows_going_on(patch):
    @around(patch, RateLog, "room")
    def room(real, self, now):
        last = self._claims[-1][0] if self._claims else now
        if last < now and last // self._period != now // self._period:
            self._claims.clear()
            self._used = 0
        return real(self, now)


@mutant(265, "LIM-04", "lets one more run where max_running is more than one")
def one_more_of_many(patch):
    @around(patch, Group, "room")
    def room(real, self, now):
        found, most = real(self, now), self.limits.max_running
        return found if found is None or most is None or most < 2 else found + 1
