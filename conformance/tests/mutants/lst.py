"""Mutants of what becomes of the work of the dead."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant, pretending
from taskkit.memory import operations, workers
from taskkit.memory.state import Memory
from taskkit.worker.station import Station


@mutant(119, "LST-01", "gives a task up one death too late")
def one_death_more(patch):
    @around(patch, Memory, "lose")
    def lose(real, self, entry, now, failure=None):
        with pretending(entry, max_lost=entry.task.max_lost + 1):
            real(self, entry, now, failure)


@mutant(120, "LST-02", "queues a task again that was to be kept")
def keep_is_retry(patch):
    @around(patch, Memory, "lose")
    def lose(real, self, entry, now, failure=None):
        on_lost = "retry" if entry.task.on_lost == "keep" else entry.task.on_lost
        with pretending(entry, on_lost=on_lost):
            real(self, entry, now, failure)


@mutant(121, "LST-03", "keeps the losses of a requeued task")
def requeue_keeps_losses(patch):
    @around(patch, operations, "requeue")
    def requeue(real, memory, ids, due):
        losses = {each: memory.tasks[each].losses for each in ids if each in memory.tasks}
        answers = real(memory, ids, due)
        for task_id, number in losses.items():
            memory.tasks[task_id].losses = number
        return answers


@mutant(122, "LST-04", "counts the attempt of a released task")
def release_counts(patch):
    @around(patch, Memory, "give_back")
    def give_back(real, self, entry, due, now):
        entry.attempt += 1
        real(self, entry, due, now)


@mutant(123, "LST-04", "counts a loss when a worker retires in good order")
def retiring_counts(patch):
    @around(patch, workers, "retire")
    def retire(real, memory, worker_id, _lost):
        return real(memory, worker_id, True)


@mutant(180, "LST-01", "forgives losses when a task is retried")
def retry_forgives(patch):
    @around(patch, Memory, "back")
    def back(real, self, entry, task, now):
        if task.retry_count != entry.task.retry_count:
            entry.losses = 0
        real(self, entry, task, now)


@mutant(227, "LST-05", "runs beside the others what was lost once", lane="chaos")
def suspects_run_beside_others(patch):
    @around(patch, Station, "needs_child")
    def needs_child(real, self, claim):
        return real(self, replace(claim, losses=0))


@mutant(228, "LST-05", "runs every task in a child", lane="chaos")
def all_run_alone(patch):
    patch.setattr(Station, "needs_child", lambda *_: True)
