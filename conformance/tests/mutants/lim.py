"""Mutants of locks, limits and rates."""

from __future__ import annotations

from dataclasses import replace

from mutants.exc import looks_then_takes
from mutants.mutant import around, mutant
from taskkit.groups import covers
from taskkit.memory import control, queue
from taskkit.memory.group import NO_LIMITS, Group
from taskkit.memory.limiting import Lock, RateLog
from taskkit.memory.order import Order
from taskkit.memory.state import Memory
from taskkit.records import Claims


@mutant(151, "LIM-01", "lets one more run under a lock than its limit")
def one_more_under_a_lock(patch):
    @around(patch, Group, "_lock")
    def lock(real, self, key, entry):
        found = self._locks.get(key)
        if found is not None and found.running == entry.task.lock_limit:
            found.running += 1
            return True
        return real(self, key, entry)


@mutant(152, "LIM-01", "holds a lock for all groups")
def locks_of_all_groups(patch):
    @around(patch, Order, "group")
    def group(real, self, name):
        found = real(self, name)
        found._locks = next(iter(self.groups.values()))._locks
        return found


@mutant(208, "LIM-01", "looks whether a lock is free, then takes it", lane="interleave")
def looks_then_locks(patch):
    looks_then_takes(patch)


@mutant(153, "LIM-02", "lets one that waits for a lock block its group")
def blocked_head(patch):
    @around(patch, queue, "claim")
    def claim(real, memory, worker_id, wants, excluding):
        if any(group._parked for group in memory.order.groups.values()):
            return Claims(now=memory.tick())
        return real(memory, worker_id, wants, excluding)


@mutant(154, "LIM-02", "wakes the last of those that wait for a lock")
def wakes_the_last(patch):
    @around(patch, Lock, "park")
    def park(real, self, task):
        real(self, replace(task, priority=-task.priority, due=-task.due))


@mutant(155, "LIM-03", "keeps the lock of a task whose worker died")
def keeps_the_lock(patch):
    @around(patch, Memory, "lose")
    def lose(real, self, entry, now, failure=None):
        real(self, entry, now, failure)
        key, group = entry.task.lock_key, self.order.group(entry.task.group)
        if key is not None:
            group._locks.setdefault(key, Lock()).running += entry.task.lock_limit


@mutant(156, "LIM-03", "never wakes those that wait for a lock")
def wakes_nobody(patch):
    patch.setattr(Group, "_wake", lambda self, key: False)


@mutant(157, "LIM-04", "lets one more run than max_running")
def one_more_running(patch):
    @around(patch, Group, "room")
    def room(real, self, now):
        found = real(self, now)
        return found if found is None or self.limits.max_running is None else found + 1


@mutant(158, "LIM-04", "limits the subgroups of a group, too")
def limits_subgroups(patch):
    @around(patch, control, "configure")
    def configure(real, memory, group, limits):
        for name in {group, *(each for each in memory.order.groups if covers(group, each))}:
            real(memory, name, limits)

    @around(patch, Order, "group")
    def group(real, self, name):
        found, above = real(self, name), self.groups.get(name.rpartition(".")[0])
        if above is not None and found.limits is NO_LIMITS:
            found.limit(above.limits)
        return found


@mutant(159, "LIM-05", "counts the claims of a rate by fixed windows")
def fixed_windows(patch):
    @around(patch, RateLog, "room")
    def room(real, self, now):
        if self._claims and self._claims[-1][0] // self._period != now // self._period:
            self._claims.clear()
            self._used = 0
        return real(self, now)


@mutant(160, "LIM-05", "opens a rate a microsecond late")
def opens_late(patch):
    @around(patch, RateLog, "room")
    def room(real, self, now):
        return real(self, now - 1)


@mutant(161, "LIM-06", "counts only what is due against max_queue_size")
def counts_the_due(patch):
    @around(patch, queue, "_put_one")
    def put_one(real, memory, task, now, added, bounded):
        group = memory.order.group(task.group)
        waiting = len(group.waiting)
        group.unclaimed -= waiting
        try:
            return real(memory, task, now, added, bounded)
        finally:
            group.unclaimed += waiting


@mutant(162, "LIM-06", "puts what fits before it says that the queue is full")
def puts_what_fits(patch):
    @around(patch, queue, "put")
    def put(real, memory, tasks, **how):
        return [answer for task in tasks for answer in real(memory, [task], **how)]


@mutant(163, "LIM-07", "looks through all blocked tasks with each claim")
def looks_through_blocked(patch):
    @around(patch, Group, "take")
    def take(real, self, most, now):
        for task_id in self._parked:
            self.holder(task_id)
        return real(self, most, now)
