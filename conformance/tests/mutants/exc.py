"""Mutants of exclusive claims."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from mutants.mutant import around, mutant
from taskkit.memory import queue, reading
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.limiting import Lock
from taskkit.memory.state import Memory
from taskkit.records import Claim, Outcome
from taskkit.task import State


@mutant(10, "EXC-02", "looks for the first tasks, then takes them", lane="interleave")
def looks_then_takes(patch):
    @around(patch, MemoryBackend, "claim")
    def claim(_real, self, worker_id, wants, excluding=()):
        memory = self._memory
        with self._lock:
            answer = queue.claim(memory, worker_id, wants, excluding)
            seen = [memory.tasks[each.task.id] for each in answer.claims]
            for entry in seen:
                memory.give_back(entry, None, answer.now)
        with self._lock:
            worker = memory.workers[worker_id]
            claims = [_take(memory, entry, worker, answer.now) for entry in seen]
        return replace(answer, claims=claims)


def _take(memory, entry, worker, now):
    """Let a task run, whatever has become of it."""
    if entry.place is not None:
        memory.withdraw(entry)
    group, key = memory.order.group(entry.task.group), entry.task.lock_key
    group.running += 1
    if key is not None:
        group._locks.setdefault(key, Lock()).running += 1
    memory.claim(entry, worker, now)
    return Claim(entry.task, entry.token, entry.attempt, entry.losses, now)


@mutant(11, "EXC-03", "lists running tasks among the queued")
def running_is_listed(patch):
    @around(patch, reading, "_matches")
    def matches(real, entry, query, now):
        if query.states is not None and State.QUEUED in query.states:
            query = replace(query, states={*query.states, State.RUNNING})
        return real(entry, query, now)


@mutant(12, "EXC-04", "lets a put overwrite a queued task")
def put_overwrites(patch):
    @around(patch, queue, "_put_one")
    def put_one(real, memory, task, now, added, bounded):
        entry = memory.tasks.get(task.id)
        if entry is not None and entry.state is State.QUEUED:
            entry.task = replace(entry.task, data=task.data, name=task.name, labels=task.labels)
        return real(memory, task, now, added, bounded)


def puts_again(patch, states):
    """Let a put forget a task that is in one of these states."""

    @around(patch, queue, "_put_one")
    def put_one(real, memory, task, now, added, bounded):
        entry = memory.tasks.get(task.id)
        if entry is not None and entry.state in states:
            memory.remove(entry, now)
        return real(memory, task, now, added, bounded)


@mutant(13, "EXC-04", "queues a running task again when its id is put")
def puts_running_again(patch):
    puts_again(patch, {State.RUNNING})


@mutant(14, "EXC-05", "queues a finished task again when its id is put")
def puts_finished_again(patch):
    puts_again(patch, {State.SUCCEEDED, State.FAILED, State.LOST, State.CANCELLED})


@mutant(15, "EXC-06", "stores a removed task again when its claim succeeds")
def success_recreates(patch):
    ghosts = {}

    @around(patch, Memory, "remove")
    def remove(real, self, entry, now):
        real(self, entry, now)
        ghosts[entry.task.id] = entry.task

    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        ghost = ghosts.get(settlement.task_id)
        if ghost and ghost.id not in memory.tasks and settlement.outcome is Outcome.SUCCEED:
            memory.finish(memory.add(ghost), State.SUCCEEDED, now, result=settlement.result)
            return True
        return real(memory, settlement, now)


@mutant(16, "EXC-07", "takes a task out of the queue before it lets it run", lane="interleave")
def claim_with_a_gap(patch):
    @around(patch, MemoryBackend, "claim")
    def claim(_real, self, worker_id, wants, excluding=()):
        tasks = self._memory.tasks
        with self._lock:
            answer = queue.claim(self._memory, worker_id, wants, excluding)
            gone = {each.task.id: tasks.pop(each.task.id) for each in answer.claims}
        with self._lock:
            tasks.update(gone)
        return answer


@mutant(84, "EXC-01", "gives a running task again in one claim of ten")
def gives_running_again(patch):
    numbers = count(1)

    @around(patch, queue, "claim")
    def claim(real, memory, worker_id, wants, excluding):
        answer = real(memory, worker_id, wants, excluding)
        worker = memory.workers.get(worker_id)
        running = [entry for w in memory.workers.values() for entry in w.running.values()]
        if not worker or not running or not answer.alive or next(numbers) % 10:
            return answer
        entry = running[0]
        entry.worker.running.pop(entry.task.id)
        memory.claim(entry, worker, answer.now)
        again = Claim(entry.task, entry.token, entry.attempt, entry.losses, answer.now)
        return replace(answer, claims=[*answer.claims, again])


@mutant(178, "EXC-03", "finds a claimed task by its old state for others", lane="interleave")
def listing_in_two_steps(patch):
    @around(patch, MemoryBackend, "find")
    def find(real, self, query, limit, after=None):
        page = real(self, query, limit, after)
        with self._lock:  # the states were read before, the records are read now
            found = reading.get(self._memory, [record.task.id for record in page.records])
        return replace(page, records=[record for record in found.values() if record])
