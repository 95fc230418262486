"""Mutants of leases and fencing."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant, one_step_early
from taskkit.memory import queue, workers
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.state import Memory
from taskkit.records import Outcome, Reclaimed
from taskkit.task import State


@mutant(19, "LEA-01", "gives every claim of a task the same token")
def constant_token(patch):
    tokens = {}

    @around(patch, Memory, "claim")
    def claim(real, self, entry, worker, now):
        real(self, entry, worker, now)
        entry.token = tokens.setdefault(entry.task.id, entry.token)


@mutant(20, "LEA-01", "begins with the tokens anew when a worker registers")
def tokens_restart(patch):
    @around(patch, workers, "register")
    def register(real, memory, info, lease):
        memory.token = 0
        real(memory, info, lease)


@mutant(21, "LEA-02", "reclaims from workers that live")
def reclaims_from_the_living(patch):
    @around(patch, workers, "reclaim")
    def reclaim(real, memory, limit):
        for worker in memory.workers.values():
            worker.expires = min(worker.expires, memory.clock.now())
        return real(memory, limit)


@mutant(22, "LEA-03", "compares the end of a lease with < instead of <=")
def lease_too_long(patch):
    @around(patch, workers, "reclaim")
    def reclaim(real, memory, limit):
        with one_step_early(memory):
            return real(memory, limit)


@mutant(23, "LEA-04", "reclaims what a dead worker once ran, though another runs it now")
def reclaims_newer_claims(patch):
    @around(patch, workers, "reclaim")
    def reclaim(real, memory, limit):
        answer = real(memory, limit)
        for entry in list(memory.tasks.values()):
            earlier = {attempt.worker_id for attempt in entry.history or ()}
            if entry.state is State.RUNNING and earlier:
                memory.lose(entry, memory.tick())
        return answer


def _ignores_token(patch, outcomes):
    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        entry = memory.tasks.get(settlement.task_id)
        running = entry is not None and entry.state is State.RUNNING
        if running and settlement.outcome in outcomes:
            settlement = replace(settlement, token=entry.token)
        return real(memory, settlement, now)


@mutant(24, "LEA-05", "ignores the token of a success")
def success_ignores_token(patch):
    _ignores_token(patch, {Outcome.SUCCEED})


@mutant(25, "LEA-06", "ignores the token of a failure")
def failure_ignores_token(patch):
    _ignores_token(patch, {Outcome.FAIL})


@mutant(179, "LEA-06", "ignores the token of a release")
def release_ignores_token(patch):
    _ignores_token(patch, {Outcome.RELEASE})


@mutant(26, "LEA-07", "revives an expired worker with its heartbeat")
def heartbeat_revives(patch):
    @around(patch, workers, "heartbeat")
    def heartbeat(real, memory, worker_id, lease, held, progress):
        if worker_id in memory.workers:
            memory.workers[worker_id].expires = memory.tick() + lease
        return real(memory, worker_id, lease, held, progress)


@mutant(27, "LEA-08", "lets a heartbeat shorten a lease")
def heartbeat_shortens(patch):
    @around(patch, workers, "heartbeat")
    def heartbeat(real, memory, worker_id, lease, held, progress):
        answer = real(memory, worker_id, lease, held, progress)
        if answer.alive:
            memory.workers[worker_id].expires = memory.tick() + lease
        return answer


@mutant(28, "LEA-09", "reclaims by the lease of the registration, whatever was renewed since")
def reclaims_by_registration(patch):
    leases = {}

    @around(patch, workers, "register")
    def register(real, memory, info, lease):
        leases.setdefault(info.id, memory.tick() + lease)
        real(memory, info, lease)

    @around(patch, workers, "reclaim")
    def reclaim(real, memory, limit):
        for name, worker in memory.workers.items():
            worker.expires = min(worker.expires, leases[name])
        return real(memory, limit)

    @around(patch, Memory, "clear")
    def clear(real, self):
        leases.clear()
        real(self)


@mutant(29, "LEA-10", "looks for the expired, then takes them", lane="interleave")
def reclaim_in_two_steps(patch):
    @around(patch, MemoryBackend, "reclaim")
    def reclaim(real, self, limit=1000):
        with self._lock:
            now = self._memory.tick()
            dead = [w for w in self._memory.workers.values() if w.expires <= now]
            found = Reclaimed(sum(len(w.running) for w in dead), [w.info.id for w in dead])
        real(self, limit)
        return found


@mutant(239, "LEA-10", "lets all who reclaim say that they removed the worker", lane="interleave")
def removed_by_everybody(patch):
    @around(patch, MemoryBackend, "reclaim")
    def reclaim(real, self, limit=1000):
        with self._lock:
            now = self._memory.tick()
            dead = [w.info.id for w in self._memory.workers.values() if w.expires <= now]
        return Reclaimed(real(self, limit).tasks, dead)


@mutant(30, "LEA-11", "does not count the attempt of a reclaimed task")
def attempt_is_forgotten(patch):
    @around(patch, Memory, "lose")
    def lose(real, self, entry, now, failure=None):
        real(self, entry, now, failure)
        entry.attempt -= 1


@mutant(31, "LEA-12", "tells a settlement that it stands before it looks", lane="interleave")
def both_succeed(patch):
    @around(patch, MemoryBackend, "settle")
    def settle(real, self, worker_id, settlements):
        with self._lock:
            tasks = self._memory.tasks
            entries = [tasks.get(each.task_id) for each in settlements]
            tokens = [each.token if each and each.worker else None for each in entries]
        answers = real(self, worker_id, settlements)
        return [
            answer or token == each.token
            for answer, token, each in zip(answers, tokens, settlements, strict=True)
        ]


@mutant(116, "LEA-13", "never gives back what its worker does not hold")
def strays_stay(patch):
    patch.setattr(workers, "_give_back_strays", lambda *_: None)


@mutant(117, "LEA-13", "takes a claim that is on its way for a stray")
def strays_too_early(patch):
    @around(patch, workers, "_give_back_strays")
    def give_back_strays(real, memory, worker, held, now):
        worker.beat = memory.token
        real(memory, worker, held, now)


@mutant(118, "LEA-14", "looks for orphans among the oldest claims only")
def sees_the_oldest_only(patch):
    @around(patch, workers, "reclaim")
    def reclaim(_real, memory, limit):
        now = memory.tick()
        running = [entry for w in memory.workers.values() for entry in w.running.values()]
        oldest = sorted(running, key=lambda entry: entry.token)[:limit]
        dead = [entry for entry in oldest if entry.worker.expires <= now]
        for entry in dead:
            memory.lose(entry, now)
        gone = [w for w in memory.workers.values() if w.expires <= now and not w.running]
        for worker in gone:
            del memory.workers[worker.info.id]
        return Reclaimed(len(dead), [worker.info.id for worker in gone])
