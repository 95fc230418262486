"""Mutants that break one sentence on leases or on the work of the dead, and it alone."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit.memory import operations, queue, workers
from taskkit.memory.state import Memory
from taskkit.records import Answered, Outcome
from taskkit.task import State


@mutant(266, "LEA-01", "gives the first claim of a requeued task the token of its last one")
def token_again(patch):
    last = {}

    @around(patch, operations, "requeue")
    def requeue(real, memory, ids, due):
        answers = real(memory, ids, due)
        for task_id, answer in answers.items():
            if answer is Answered.DONE and memory.tasks[task_id].token:
                last[task_id] = memory.tasks[task_id].token
        return answers

    @around(patch, Memory, "claim")
    def claim(real, self, entry, worker, now):
        real(self, entry, worker, now)
        entry.token = last.pop(entry.task.id, entry.token)

    _forget_when_cleared(patch, last)


@mutant(267, "LEA-02", "reclaims what runs longer than two leases of its living worker")
def two_leases_at_most(patch):
    leases = {}

    def noting(name):
        @around(patch, workers, name)
        def noted(real, memory, worker, lease, *rest):
            leases[getattr(worker, "id", worker)] = lease
            return real(memory, worker, lease, *rest)

    noting("register")
    noting("heartbeat")

    @around(patch, workers, "reclaim")
    def reclaim(real, memory, limit):
        now = memory.tick()
        for name, worker in memory.workers.items():
            if any(each.began + 2 * leases[name] <= now for each in worker.running.values()):
                worker.expires = min(worker.expires, now)
        return real(memory, limit)

    _forget_when_cleared(patch, leases)


@mutant(268, "LEA-03", "lets a worker claim at the very end of its lease")
def claims_at_the_end(patch):
    @around(patch, queue, "claim")
    def claim(real, memory, worker_id, *args):
        worker = memory.workers.get(worker_id)
        over = worker is not None and worker.expires == memory.tick()
        if over:
            worker.expires += 1
        try:
            return real(memory, worker_id, *args)
        finally:
            if over:
                worker.expires -= 1


@mutant(269, "LEA-04", "does not tell a worker which of its claims are void")
def void_untold(patch):
    @around(patch, workers, "heartbeat")
    def heartbeat(real, *args):
        return replace(real(*args), void=frozenset())


def _lost_claims_end_newer_ones(patch, outcome):
    lost = {}

    @around(patch, Memory, "lose")
    def lose(real, self, entry, now, failure=None):
        if entry.settled != entry.token:
            lost[entry.task.id, entry.token] = True
        real(self, entry, now, failure)

    @around(patch, queue, "_settle_one")
    def settle_one(real, memory, settlement, now):
        entry = memory.tasks.get(settlement.task_id)
        late = (settlement.task_id, settlement.token) in lost and settlement.outcome is outcome
        if late and entry is not None and entry.state is State.RUNNING:
            settlement = replace(settlement, token=entry.token)
        return real(memory, settlement, now)

    _forget_when_cleared(patch, lost)


@mutant(270, "LEA-05", "lets a success of a lost claim end the newer claim that runs")
def late_success_ends_another(patch):
    _lost_claims_end_newer_ones(patch, Outcome.SUCCEED)


@mutant(271, "LEA-06", "lets a discard of a lost claim remove what runs under a newer one")
def late_discard_ends_another(patch):
    _lost_claims_end_newer_ones(patch, Outcome.DISCARD)


@mutant(272, "LEA-11", "counts attempts up to three")
def counts_to_three(patch):
    @around(patch, Memory, "claim")
    def claim(real, self, entry, worker, now):
        real(self, entry, worker, now)
        entry.attempt = min(entry.attempt, 3)


@mutant(273, "LEA-13", "gives nothing back while its worker holds anything")
def strays_beside_others(patch):
    @around(patch, workers, "_give_back_strays")
    def give_back_strays(real, memory, worker, held, now):
        if not held:
            real(memory, worker, held, now)


@mutant(274, "LST-02", "keeps as lost what was to fail")
def fail_is_keep(patch):
    @around(patch, Memory, "finish")
    def finish(real, self, entry, state, now, **how):
        dead = entry.losses and entry.task.on_lost == "fail" and state is State.FAILED
        real(self, entry, State.LOST if dead else state, now, **how)


@mutant(275, "LST-03", "refuses to delete a lost task")
def lost_for_ever(patch):
    @around(patch, operations, "delete")
    def delete(real, memory, ids):
        lost = [each for each in ids if each in memory.tasks]
        lost = [each for each in lost if memory.tasks[each].state is State.LOST]
        answers = real(memory, [each for each in ids if each not in lost])
        return answers | dict.fromkeys(lost, Answered.REFUSED)


@mutant(276, "LST-04", "counts a loss of the last chance when a worker retires in good order")
def retiring_takes_the_last_chance(patch):
    @around(patch, workers, "retire")
    def retire(real, memory, worker_id, lost):
        worker = memory.workers.get(worker_id)
        running = worker.running.values() if worker else ()
        return real(memory, worker_id, lost or any(each.task.max_lost == 1 for each in running))


def _forget_when_cleared(patch, notes):
    @around(patch, Memory, "clear")
    def clear(real, self):
        notes.clear()
        real(self)
