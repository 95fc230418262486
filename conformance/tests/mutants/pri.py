"""Mutants of priority."""

from __future__ import annotations

from dataclasses import replace

from mutants.mutant import around, mutant
from taskkit import limits
from taskkit.memory.group import Group
from taskkit.memory.ready import Ready


@mutant(105, "PRI-01", "claims the lower priority first")
def lower_first(patch):
    for name in ("push", "discard"):

        @around(patch, Ready, name)
        def turned(real, self, task):
            real(self, replace(task, priority=-task.priority))


@mutant(106, "PRI-02", "accepts any priority")
def any_priority(patch):
    @around(patch, limits, "check_int")
    def check_int(real, what, *args):
        if what != "priority":
            real(what, *args)


@mutant(107, "PRI-03", "lets an urgent task go before its due")
def priority_beats_due(patch):
    @around(patch, Group, "insert")
    def insert(real, self, entry, now):
        urgent = entry.task.priority > 0
        real(self, entry, max(now, entry.task.due) if urgent else now)


@mutant(174, "PRI-01", "knows urgent and other tasks only")
def two_classes(patch):
    for name in ("push", "discard"):

        @around(patch, Ready, name)
        def coarse(real, self, task):
            real(self, replace(task, priority=int(task.priority > 0)))
