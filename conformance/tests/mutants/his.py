"""Mutants of history, progress and labels."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant, pretending
from taskkit.memory import queue, reading, workers
from taskkit.memory.entry import Entry


@mutant(164, "HIS-01", "keeps every attempt, however few are wanted")
def keeps_all(patch):
    @around(patch, Entry, "note")
    def note(real, self, *args):
        with pretending(self, max_history=self.task.max_history and 1_000):
            real(self, *args)


@mutant(165, "HIS-01", "keeps the oldest attempts instead of the newest")
def keeps_the_oldest(patch):
    @around(patch, Entry, "note")
    def note(real, self, *args):
        if len(self.history or ()) < self.task.max_history:
            real(self, *args)


@mutant(166, "HIS-01", "leaves out the attempt that succeeded")
def no_success(patch):
    patch.setattr(Entry, "past", lambda self: tuple(self.history or ()))


@mutant(192, "HIS-01", "forgets in which worker an attempt ran")
def forgets_the_worker(patch):
    @around(patch, Entry, "past")
    def past(real, self):
        return tuple(replace(attempt, worker_id="") for attempt in real(self))


@mutant(167, "HIS-02", "gives labels back as text")
def labels_as_text(patch):
    @around(patch, queue, "resolve_task")
    def resolve_task(real, task, now):
        labels = {key: str(value) for key, value in task.labels.items()}
        return replace(real(task, now), labels=labels)


@mutant(240, "HIS-02", "cuts progress of more than 64 KiB short, if others report with it")
def progress_wraps(patch):
    @around(patch, workers, "heartbeat")
    def heartbeat(real, memory, worker_id, lease, held, progress):
        if len(progress) > 1:
            progress = {key: value[: len(value) % 65_536] for key, value in progress.items()}
        return real(memory, worker_id, lease, held, progress)


@mutant(168, "HIS-02", "forgets the progress with the next heartbeat")
def forgets_progress(patch):
    @around(patch, workers, "heartbeat")
    def heartbeat(real, memory, worker_id, lease, held, progress):
        worker = memory.workers.get(worker_id)
        for entry in worker.running.values() if worker else ():
            entry.progress = None
        return real(memory, worker_id, lease, held, progress)


@mutant(169, "HIS-03", "finds a task by any of the labels instead of all")
def any_label(patch):
    patch.setattr(
        reading,
        "_has",
        lambda labels, wanted: any(labels.get(key) == value for key, value in wanted.items()),
    )


@mutant(170, "HIS-03", "takes the label True for 1")
def true_is_one(patch):
    patch.setattr(
        reading,
        "_has",
        lambda labels, wanted: all(labels.get(key) == value for key, value in wanted.items()),
    )
