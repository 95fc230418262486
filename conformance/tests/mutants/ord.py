"""Mutants of the order in which tasks are claimed."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from mutants.mutant import around, mutant, one_step_early
from taskkit.clock import SECOND
from taskkit.memory import queue
from taskkit.memory.group import Group
from taskkit.memory.heap import LazyHeap
from taskkit.memory.order import Order
from taskkit.memory.ready import Ready
from taskkit.memory.state import Memory


@mutant(1, "ORD-01", "claims the latest due first")
def latest_first(patch):
    @around(patch, Ready, "push")
    def push(real, self, task):
        real(self, replace(task, due=-task.due))


@mutant(2, "ORD-02", "ignores the due")
def ignores_due(patch):
    @around(patch, Group, "insert")
    def insert(real, self, entry, now):
        real(self, entry, max(now, entry.task.due))


@mutant(3, "ORD-03", "compares the due with < instead of <=")
def due_before_now(patch):
    @around(patch, Group, "insert")
    def insert(real, self, entry, now):
        real(self, entry, now - 1)

    @around(patch, queue, "claim")
    def claim(real, memory, *args):
        with one_step_early(memory):
            return real(memory, *args)


@mutant(4, "ORD-04", "gives equal dues in the order in which they came")
def insertion_order(patch):
    @around(patch, LazyHeap, "push")
    def push(real, self, name, key):
        real(self, name, key[:-1] if isinstance(key, tuple) else key)


@mutant(5, "ORD-05", "compares groups by their beginning")
def groups_by_prefix(patch):
    @around(patch, Order, "take")
    def take(real, self, want, most, now, allowed):
        taken = real(self, want, most, now, allowed)
        for name in [name for name in self.groups if name.startswith(want) and name != want]:
            taken += real(self, name, most - len(taken), now, None)
        return taken


@mutant(7, "ORD-06", "skips every tenth due task for ever")
def skips_the_tenth(patch):
    numbers = count(1)

    @around(patch, Ready, "push")
    def push(real, self, task):
        if next(numbers) % 10:
            real(self, task)


@mutant(8, "ORD-07", "keeps the old due of a retried task")
def retry_keeps_due(patch):
    @around(patch, queue, "_retry")
    def retry(real, memory, entry, settlement, now):
        real(memory, entry, replace(settlement, due=None), now)


@mutant(9, "ORD-08", "sets the due of a reclaimed task to now")
def reclaim_sets_due(patch):
    @around(patch, Memory, "lose")
    def lose(real, self, entry, now, failure=None):
        entry.task = replace(entry.task, due=now)
        real(self, entry, now, failure)


@mutant(70, "ORD-10", "lets waiting tasks wait a day longer when the clock steps back")
def hides_on_rewind(patch):
    @around(patch, Group, "rewind")
    def rewind(real, self, now):
        real(self, now)
        for task_id in list(self.waiting):
            self.waiting.push(task_id, self.waiting.key(task_id) + 86_400 * SECOND)


@mutant(90, "ORD-09", "has two shards inside and takes from them in turn", lane="interleave")
def two_shards(patch):
    turns = count()

    @around(patch, Group, "take")
    def take(real, self, most, now):
        if most != 1 or len(self.ready) < 2 or next(turns) % 2:
            return real(self, most, now)
        passed, taken = real(self, 2, now)
        self.running -= 1
        self.insert(passed, now)
        return [taken]


@mutant(173, "ORD-01", "gives the last of three due tasks before the second")
def third_before_second(patch):
    turns = count()

    @around(patch, Group, "take")
    def take(real, self, most, now):
        if most != 1 or len(self.ready) < 3 or not next(turns) % 2:
            return real(self, most, now)
        *passed, taken = real(self, 3, now)
        self.running -= len(passed)
        for entry in passed:
            self.insert(entry, now)
        return [taken]
