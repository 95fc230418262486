"""Mutants that break one sentence on looking in and on steering, and it alone."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit.clock import SECOND
from taskkit.memory import control, reading, workers
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.state import Memory
from taskkit.task import State


@mutant(286, "CTL-02", "keeps the later end where a group is paused twice")
def later_end(patch):
    @around(patch, control, "pause")
    def pause(real, memory, groups, until):
        before = dict(memory.pauses)
        real(memory, groups, until)
        for name, end in memory.pauses.items():
            if before.get(name, -1) is None or (end is not None and before.get(name, -1) > end):
                memory.pauses[name] = before[name]


@mutant(287, "QRY-01", "tells no oldest due of a task that was given back")
def no_due_of_the_released(patch):
    released = set()

    @around(patch, Memory, "give_back")
    def give_back(real, self, entry, due, now):
        released.add(entry.task.group)
        real(self, entry, due, now)

    @around(patch, Memory, "clear")
    def clear(real, self):
        released.clear()
        real(self)

    @around(patch, reading, "count")
    def count(real, memory, groups):
        return [
            replace(each, oldest_due=None)
            if each.group in released and each.state is State.WAITING and each.count == 1
            else each
            for each in real(memory, groups)
        ]


@mutant(288, "QRY-02", "forgets the name where a state is asked for as well")
def name_or_state(patch):
    @around(patch, reading, "find")
    def find(real, memory, query, limit, after):
        query = replace(query, name=None) if query.states is not None else query
        return real(memory, query, limit, after)


@mutant(297, "INT-01", "takes for waiting, in a search, what has waited until this instant")
def waits_until_now(patch):
    @around(patch, reading, "_matches")
    def matches(real, entry, query, now):
        waited = entry.task.created < entry.task.due == now
        return real(entry, query, now - 1 if waited and query.states else now)


@mutant(298, "INT-04", "forgets a pause of an hour once somebody has looked")
def looked_at_and_gone(patch):
    @around(patch, MemoryBackend, "control")
    def look(real, self):
        found = real(self)
        now = self.memory.tick()
        for name, end in found.pauses.items():
            if end is not None and end > now + 3_000 * SECOND:
                del self.memory.pauses[name]
        return found


@mutant(299, "INT-05", "lists workers of one expiry by descending id")
def by_descending_id(patch):
    @around(patch, workers, "_by_expiry")
    def by_expiry(_real, found):
        descending = sorted(found, key=lambda worker: worker.info.id, reverse=True)
        return sorted(descending, key=lambda worker: worker.expires)


@mutant(300, "INT-06", "finds no task that failed in a search by group and that state alone")
def hides_the_failed(patch):
    @around(patch, reading, "_matches")
    def matches(real, entry, query, now):
        alone = query.group is not None and list(query.states or ()) == [State.FAILED]
        return not alone and real(entry, query, now)
