"""Mutants of counting, finding and requeueing."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit.memory import operations, reading
from taskkit.memory.group import Group
from taskkit.memory.tally import Tally
from taskkit.records import Page
from taskkit.task import State


@mutant(137, "QRY-01", "tells the oldest due of all for each state")
def oldest_of_all(patch):
    @around(patch, reading, "count")
    def count(real, memory, groups):
        counts = real(memory, groups)
        oldest = min((each.oldest_due for each in counts), default=None)
        return [replace(each, oldest_due=oldest) for each in counts]


@mutant(138, "QRY-01", "counts waiting tasks as queued")
def waiting_counts_as_queued(patch):
    @around(patch, Group, "counts")
    def counts(real, self):
        return (replace(each, state=State.QUEUED) for each in real(self))


@mutant(57, "QRY-02", "gives one task more than fit on a page")
def one_too_many(patch):
    @around(patch, reading, "find")
    def find(real, memory, query, limit, after):
        return real(memory, query, limit + 1, after)


@mutant(139, "QRY-02", "leaves out the first task of the next page")
def skips_between_pages(patch):
    @around(patch, reading, "find")
    def find(real, memory, query, limit, after):
        page = real(memory, query, limit, after)
        if page.next is None:
            return page
        return Page(page.records, real(memory, query, limit + 1, after).records[-1].task.id)


@mutant(212, "QRY-02", "takes what is named alike for a subgroup")
def finds_by_prefix(patch):
    patch.setattr(reading, "covers", lambda group, other: other.startswith(group))


@mutant(140, "QRY-03", "loses the history of a requeued task")
def requeue_forgets(patch):
    @around(patch, operations, "requeue")
    def requeue(real, memory, ids, due):
        answers = real(memory, ids, due)
        for task_id, answer in answers.items():
            if answer == "done":
                memory.tasks[task_id].history = None
        return answers


@mutant(141, "QRY-03", "queues a succeeded task again")
def requeues_succeeded(patch):
    states = {State.SUCCEEDED, State.FAILED, State.LOST, State.CANCELLED}
    patch.setattr(operations, "_REQUEUABLE", frozenset(states))


@mutant(213, "QRY-01", "leaves finished tasks out of the counts")
def counts_no_finished(patch):
    patch.setattr(Tally, "counts", lambda self, tasks: iter(()))


@mutant(215, "QRY-02", "promises a next page though nothing follows")
def promises_a_page(patch):
    # Found in the memory backend: a task that does not match followed.
    @around(patch, reading, "find")
    def find(real, *args, **options):
        page = real(*args, **options)
        last = page.records[-1].task.id if page.records else None
        return page if page.next else Page(page.records, last)
