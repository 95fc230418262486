"""Mutants of unique keys."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit.memory import queue
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.group import Group
from taskkit.memory.state import Memory
from taskkit.records import PutResult


@mutant(142, "UNQ-01", "does not see that a waiting task has the key")
def waiting_is_free(patch):
    @around(patch, Group, "holder")
    def holder(real, self, key):
        found = real(self, key)
        return None if found is not None and found.place == "waiting" else found


@mutant(206, "UNQ-01", "looks for the key, then puts", lane="interleave")
def looks_then_puts(patch):
    @around(patch, MemoryBackend, "put")
    def put(real, self, tasks, within=None):
        order = self._memory.order
        with self._lock:
            free = [order.group(each.group).holder(each.unique_key or "") is None for each in tasks]
        if not all(free):
            return real(self, tasks, within)
        with self._lock, _blind(order.group(tasks[0].group)):
            return queue.put(self._memory, tasks)


class _blind:
    def __init__(self, group):
        self.group = group

    def __enter__(self):
        self.kept = dict(self.group._unique)
        self.group._unique.clear()

    def __exit__(self, *_):
        self.group._unique.update(self.kept)


@mutant(143, "UNQ-02", "gives the task that has the key the data of the second")
def second_overwrites(patch):
    @around(patch, queue, "_put_one")
    def put_one(real, memory, task, now, added, bounded):
        answer = real(memory, task, now, added, bounded)
        if answer.status == "duplicate":
            entry = memory.tasks[answer.id]
            entry.task = replace(entry.task, data=task.data, name=task.name, labels=task.labels)
        return answer


@mutant(144, "UNQ-02", "answers a duplicate with its own id")
def own_id(patch):
    @around(patch, queue, "_put_one")
    def put_one(real, memory, task, now, added, bounded):
        answer = real(memory, task, now, added, bounded)
        return PutResult(task.id, answer.status)


@mutant(145, "UNQ-03", "frees a key of the scope `unfinished` with the claim")
def unfinished_is_queued(patch):
    @around(patch, Memory, "claim")
    def claim(real, self, entry, worker, now):
        self._free(entry)
        real(self, entry, worker, now)


@mutant(146, "UNQ-04", "keeps a key until its task is finished")
def queued_is_unfinished(patch):
    @around(patch, Group, "take")
    def take(real, self, most, now):
        keys = dict(self._unique)
        taken = real(self, most, now)
        self._unique.update(keys)
        return taken


@mutant(147, "UNQ-04", "keeps the key of a task that was cancelled or deleted")
def never_frees(patch):
    patch.setattr(Memory, "_free", lambda self, entry: None)


@mutant(148, "UNQ-05", "queues a task again whose key is taken meanwhile")
def comes_back_second(patch):
    @around(patch, Memory, "back")
    def back(real, self, entry, task, now):
        if entry.cancelling:
            real(self, entry, task, now)
        else:
            entry.task = task
            self.enqueue(entry, now)


@mutant(149, "UNQ-06", "holds a key for all groups")
def keys_of_all_groups(patch):
    @around(patch, queue, "_put_one")
    def put_one(real, memory, task, now, added, bounded):
        for group in memory.order.groups.values() if task.unique_key else ():
            holder = group.holder(task.unique_key)
            if holder is not None:
                return PutResult(holder.task.id, "duplicate")
        return real(memory, task, now, added, bounded)


@mutant(207, "UNQ-06", "compares keys without case")
def keys_without_case(patch):
    @around(patch, queue, "_put_one")
    def put_one(real, memory, task, now, added, bounded):
        key = task.unique_key and task.unique_key.casefold()
        return real(memory, replace(task, unique_key=key), now, added, bounded)
