"""Mutants that break one sentence on order, and it alone: in one circumstance, or by one step."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit import limits
from taskkit.clock import SECOND
from taskkit.groups import covered, owner
from taskkit.memory import queue
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.group import Group
from taskkit.memory.order import Order
from taskkit.memory.ready import Ready
from taskkit.memory.state import Memory
from taskkit.task import After, State


def _first_is(patch, place):
    """Let the first of the due tasks of one priority be the one with the smallest ``place``."""

    @around(patch, Ready, "pop")
    def pop(_real, self):
        rank = self._order[0]
        lane = self._lanes[rank]
        task_id = min(lane, key=lambda each: place(rank, each, lane.key(each)))
        lane.discard(task_id)
        self._size -= 1
        if not lane:
            self._close(rank)
        return task_id


@mutant(242, "ORD-01", "claims the latest due first among tasks of a priority below 0")
def latest_of_the_low(patch):
    _first_is(patch, lambda rank, _id, key: (-key[0] if rank > 0 else key[0], key[1]))


@mutant(243, "ORD-02", "makes a due that is given as a delay a microsecond shorter")
def short_delay(patch):
    @around(patch, queue, "resolve_task")
    def resolve_task(real, task, now):
        found = real(task, now)
        return (
            replace(found, due=found.due - 1)
            if isinstance(task.due, After) and task.due.delay
            else found
        )


@mutant(244, "ORD-03", "gives a task that has waited for its due a microsecond late")
def late_after_waiting(patch):
    def late(entry, now):
        return not entry.attempt and entry.task.created < entry.task.due == now

    @around(patch, Order, "take")
    def take(real, self, want, most, now, allowed):
        node = self._nodes.get(want)
        if node is None:
            return []
        self._ring(node, now)
        aside = []
        for group in list(node.rotation.values()):
            entries = [self._tasks[task_id] for task_id in group.ready]
            for entry in [each for each in entries if late(each, now)]:
                group.ready.discard(entry.task)
                aside.append((group, entry))
            if not group.ready:
                self._leave(group, now)
        taken = real(self, want, most, now, allowed)
        for group, entry in aside:
            group.ready.push(entry.task)
            self.refresh(group, now)
        return taken


@mutant(245, "ORD-04", "compares the first half of an id only")
def half_an_id(patch):
    _first_is(patch, lambda _rank, _id, key: (key[0], key[1][:-16]))


@mutant(246, "ORD-05", "takes compatible letters for the same in groups of tasks without keys")
def compatible_letters(patch):
    known = {}

    @around(patch, Order, "group")
    def group(real, self, name):
        known.setdefault(unicodedata.normalize("NFKC", name), set()).add(name)
        return real(self, name)

    @around(patch, Order, "take")
    def take(real, self, want, most, now, allowed):
        taken = real(self, want, most, now, allowed)
        alike = known.get(unicodedata.normalize("NFKC", want), set())
        for name in sorted(alike & set(self.groups) - {want}) if len(alike) > 1 else ():
            tasks = [self._tasks[each].task for each in self.groups[name].ready]
            if not any(task.lock_key or task.unique_key for task in tasks):
                taken += real(self, name, most - len(taken), now, allowed)
        return taken


@mutant(247, "ORD-06", "loses sight of what comes after thirteen due tasks of three priorities")
def loses_the_fourteenth(patch):
    @around(patch, Ready, "push")
    def push(real, self, task):
        if len(self) < 13 or len(self._order) < 3:
            real(self, task)


@mutant(248, "ORD-07", "lets a task that is retried at once keep its place by the old due")
def old_place(patch):
    old = {}

    @around(patch, queue, "_retry")
    def retry(real, memory, entry, settlement, now):
        due = entry.task.due
        real(memory, entry, settlement, now)
        if entry.state is State.QUEUED and entry.task.due <= now:
            old[entry.task.id] = due

    @around(patch, Memory, "claim")
    def claim(real, self, entry, worker, now):
        old.pop(entry.task.id, None)
        real(self, entry, worker, now)

    @around(patch, Memory, "clear")
    def clear(real, self):
        old.clear()
        real(self)

    _first_is(patch, lambda _rank, task_id, key: (old.get(task_id, key[0]), key[1]))


@mutant(249, "ORD-08", "gives a reclaimed task before those that are due longer")
def reclaimed_first(patch):
    lost = set()

    @around(patch, Memory, "lose")
    def lose(real, self, entry, now, failure=None):
        real(self, entry, now, failure)
        lost.add(entry.task.id)

    @around(patch, Memory, "clear")
    def clear(real, self):
        lost.clear()
        real(self)

    _first_is(patch, lambda _rank, task_id, key: (task_id not in lost, *key))


@mutant(309, "ORD-09", "passes over the first while somebody puts or settles", lane="interleave")
def passed_over_meanwhile(patch):
    busy = []

    def watched(name):
        @around(patch, MemoryBackend, name)
        def call(real, self, *args, **options):
            with self._lock:
                busy.append(name)
            try:
                return real(self, *args, **options)
            finally:
                with self._lock:
                    busy.remove(name)

    watched("put")
    watched("settle")

    @around(patch, Ready, "pop")
    def pop(real, self):
        rank = self._order[0]
        lane = self._lanes[rank]
        first, *others = sorted(map(lane.key, lane))
        behind = [key for key in others if key[0] != first[0]]
        if not busy or not (behind or self._order[1:]):
            return real(self)
        if not behind:
            rank = self._order[1]
            lane = self._lanes[rank]
            behind = sorted(map(lane.key, lane))
        lane.discard(behind[0][1])
        self._size -= 1
        if not lane:
            self._close(rank)
        return behind[0][1]


@mutant(250, "ORD-10", "gives what has been due once when the clock has stepped back behind it")
def remembers_the_latest(patch):
    @around(patch, Order, "take")
    def take(real, self, want, most, now, allowed):
        latest = _LATEST[self] = max(now, _LATEST.get(self, 0))
        if latest == now:
            return real(self, want, most, now, allowed)
        self.promote(latest)
        taken = real(self, want, most, now, allowed)
        self.rewind(now)
        return taken


_LATEST = {}


@mutant(251, "PRI-01", "knows priorities from -2 to 2 only")
def few_priorities(patch):
    for name in ("push", "discard"):

        @around(patch, Ready, name)
        def coarse(real, self, task):
            real(self, replace(task, priority=max(-2, min(2, task.priority))))


@mutant(301, "PRI-02", "accepts any priority below -100")
def any_low_priority(patch):
    @around(patch, limits, "check_int")
    def check_int(real, what, value, *args):
        if what != "priority" or value > 0:
            real(what, value, *args)


@mutant(252, "PRI-03", "lets go before its due what is more urgent by fifty than what is due")
def much_more_urgent(patch):
    @around(patch, Group, "take")
    def take(real, self, most, now):
        if self.ready:
            due = -self.ready._order[0]
            waiting = [self._tasks[each] for each in self.waiting]
            for entry in [each for each in waiting if each.task.priority >= due + 50]:
                self.waiting.discard(entry.task.id)
                self._offer(entry)
        return real(self, most, now)


@mutant(253, "FAR-02", "takes what begins like a subgroup for a part of it")
def begins_like_a_subgroup(patch):
    @around(patch, Order, "take")
    def take(real, self, want, most, now, allowed):
        taken = real(self, want, most, now, allowed)
        for name in list(self.groups) if "." in want else ():
            tail = name.removeprefix(want)
            if tail and tail != name and tail[0] not in ".%":
                taken += real(self, name, most - len(taken), now, allowed)
        return taken


@mutant(254, "EXP-01", "lets what waits for a lock outlive its expires")
def outlives_behind_a_lock(patch):
    @around(patch, Memory, "enqueue")
    def enqueue(real, self, entry, now):
        real(self, entry, now)
        task = entry.task
        lock = self.order.group(task.group)._locks.get(task.lock_key)
        if task.expires is not None and lock is not None and lock.running >= task.lock_limit:
            self._expiring.push(task.id, task.expires + 3600 * SECOND)


@mutant(310, "FAR-04", "excludes what a claim excludes, but not the subgroups of it")
def excludes_exactly(patch):
    asked = []

    @around(patch, queue, "claim")
    def claim(real, memory, worker_id, wants, excluding):
        asked[:] = [frozenset(excluding)]
        return real(memory, worker_id, wants, excluding)

    @around(patch, queue, "permission")
    def permission(_real, want, wants, excluding):
        mine = asked[0]
        pauses = set(excluding) - mine

        def allowed(name):
            excluded = name in mine or "*" in mine or covered(name, pauses)
            return owner(name, wants) == want and not excluded

        return allowed
