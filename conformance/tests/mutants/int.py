"""Mutants of looking in."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit.memory import plugin, queue, reading, workers
from taskkit.memory.entry import Entry
from taskkit.memory.state import Memory
from taskkit.records import Page
from taskkit.task import State


@mutant(195, "INT-01", "does not tell waiting tasks from queued ones")
def waiting_is_queued(patch):
    patch.setattr(Entry, "state_at", lambda self, now: self.state)


@mutant(196, "INT-02", "shows the due of a running task as its beginning")
def began_is_due(patch):
    @around(patch, Entry, "record")
    def record(real, self, now):
        found = real(self, now)
        return replace(found, began=found.task.due) if self.state is State.RUNNING else found


@mutant(58, "INT-02", "does not say who runs a task")
def no_worker(patch):
    @around(patch, Entry, "record")
    def record(real, self, now):
        return replace(real(self, now), worker_id=None)


@mutant(171, "INT-03", "forgets the timeout of a task")
def forgets_timeout(patch):
    @around(patch, queue, "resolve_task")
    def resolve_task(real, task, now):
        return replace(real(task, now), timeout=None)


@mutant(197, "INT-03", "finds tasks without their history and progress")
def short_records(patch):
    @around(patch, reading, "find")
    def find(real, memory, query, limit, after):
        page = real(memory, query, limit, after)
        short = [replace(each, history=(), progress=None, token=0) for each in page.records]
        return Page(short, page.next)


@mutant(87, "INT-04", "drops finished tasks once they were found")
def drops_finished(patch):
    @around(patch, reading, "find")
    def find(real, memory, query, limit, after):
        page = real(memory, query, limit, after)
        for record in page.records:
            if record.state.finished:
                memory.remove(memory.tasks[record.task.id], memory.tick())
        return page


@mutant(61, "INT-05", "hides workers whose lease has expired")
def hides_expired(patch):
    @around(patch, workers, "workers")
    def listed(real, memory):
        return [worker for worker in real(memory) if worker.expires > memory.tick()]


@mutant(88, "INT-06", "counts discarded tasks")
def counts_discarded(patch):
    @around(patch, Memory, "discard")
    def discard(real, self, entry, settlement, now):
        real(self, entry, settlement, now)
        self.tally.add(entry.task, State.CANCELLED)


@mutant(89, "INT-07", "pages by offset over a list that changes")
def by_offset(patch):
    @around(patch, reading, "find")
    def find(real, memory, query, limit, after):
        found = real(memory, query, 10**9 if limit >= 0 else limit, None).records
        begin = int(after or 0)
        more = limit and begin + limit < len(found)
        return Page(found[begin : begin + limit], str(begin + limit) if more else None)


@mutant(62, "INT-08", "forgets the pauses when it clears")
def clear_keeps_pauses(patch):
    @around(patch, Memory, "clear")
    def clear(real, self):
        pauses = dict(self.pauses)
        real(self)
        self.pauses.update(pauses)


@mutant(198, "INT-08", "forgets the schedules when it clears")
def clear_keeps_schedules(patch):
    @around(patch, Memory, "clear")
    def clear(real, self):
        schedules = dict(self.schedules)
        real(self)
        self.schedules.update(schedules)


@mutant(63, "INT-09", "clears other namespaces, too")
def clears_all(patch):
    @around(patch, Memory, "clear")
    def clear(real, self):
        for memory in {*plugin._stores.values(), self}:
            real(memory)


@mutant(199, "INT-09", "keeps the tasks of all namespaces in one place")
def one_place(patch):
    patch.setattr(plugin, "_name", lambda url: "one")


@mutant(214, "INT-03", "loses the lock limit of a task that has no lock")
def loses_the_lock_limit(patch):
    # Found in SQLite, in what a claim gives.
    @around(patch, queue, "claim")
    def claim(real, *args):
        answer = real(*args)
        return replace(
            answer,
            claims=[
                replace(each, task=replace(each.task, lock_limit=1))
                if each.task.lock_key is None
                else each
                for each in answer.claims
            ],
        )
