"""Mutants of durability, as far as one process can show it."""

from __future__ import annotations

from itertools import count

from mutants.mutant import around, mutant
from taskkit.clock import sleep
from taskkit.memory import queue
from taskkit.memory.backend import MemoryBackend
from taskkit.records import PutResult


@mutant(76, "DUR-04", "acknowledges one put in twenty and drops it", lane="race")
def drops_puts(patch):
    numbers = count(1)

    @around(patch, queue, "_put_one")
    def put_one(real, memory, task, now, added, bounded):
        if next(numbers) % 20 == 0:
            return PutResult(task.id)
        return real(memory, task, now, added, bounded)


@mutant(79, "DUR-07", "keeps an answer where another thread may overwrite it", lane="race")
def shared_buffer(patch):
    @around(patch, MemoryBackend, "claim")
    def claim(real, self, worker_id, wants, excluding=()):
        self.answer = real(self, worker_id, wants, excluding)
        sleep(0.002)
        return self.answer


@mutant(80, "DUR-08", "puts at once what was to be put within a transaction", backend="sql")
def ignores_the_transaction(patch):
    from taskkit_relational.backend import RelationalBackend

    @around(patch, RelationalBackend, "put")
    def put(real, self, tasks, within=None):
        if within is not None:
            within.rollback()
        return real(self, tasks)
