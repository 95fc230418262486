"""Mutants of what goes in and comes out."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC

from mutants.mutant import around, mutant
from taskkit import convert, kit, limits
from taskkit.clock import SECOND
from taskkit.memory import order, queue, reading
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.order import Order


def _stores(patch, change):
    @around(patch, queue, "resolve_task")
    def resolve_task(real, task, now):
        task = real(task, now)
        return replace(task, **change(task))


def _reads_groups_as(patch, change):
    @around(patch, order, "lineage")
    def lineage(real, group):
        return real(change(group))

    @around(patch, Order, "take")
    def take(real, self, want, most, now, allowed):
        def alike(name):
            return change(name) == change(want) or allowed(name)

        return real(self, change(want), most, now, allowed and alike)


@mutant(6, "VAL-06", "compares groups without case")
def groups_without_case(patch):
    _reads_groups_as(patch, str.casefold)


@mutant(200, "VAL-06", "ignores blanks at the end of groups")
def groups_without_blanks(patch):
    _reads_groups_as(patch, str.rstrip)


@mutant(67, "VAL-06", "takes a wanted group for a pattern")
def groups_as_patterns(patch):
    @around(patch, Order, "take")
    def take(real, self, want, most, now, allowed):
        taken = real(self, want, most, now, allowed)
        pattern = re.compile(re.escape(want).replace("_", ".").replace("%", ".*"), re.IGNORECASE)
        for name in [name for name in self.groups if name != want and pattern.fullmatch(name)]:
            taken += real(self, name, most - len(taken), now, None)
        return taken


@mutant(201, "VAL-06", "accepts control characters")
def any_characters(patch):
    patch.setattr(limits, "_check_text", lambda what, text, longest: None)


@mutant(64, "VAL-01", "cuts names that are long")
def cuts_names(patch):
    _stores(patch, lambda task: {"name": task.name[:100]})


@mutant(202, "VAL-01", "accepts data of any size")
def any_size(patch):
    @around(patch, limits, "check_data")
    def check_data(real, what, data, _most):
        real(what, data, 1 << 40)


@mutant(65, "VAL-02", "accepts NaN as a number of seconds")
def accepts_nan(patch):
    @around(patch, limits, "check_duration")
    def check_duration(real, what, value, **how):
        if value == value:  # noqa: PLR0124 - NaN alone differs from itself
            real(what, value, **how)


@mutant(103, "VAL-03", "takes a naive datetime for UTC")
def naive_is_utc(patch):
    @around(patch, convert, "moment_to_instant")
    def moment_to_instant(real, moment):
        return real(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


@mutant(60, "VAL-04", "gives data back as a memoryview")
def data_as_view(patch):
    _stores(patch, lambda task: {"data": memoryview(task.data)})


@mutant(203, "VAL-04", "accepts text as data")
def text_as_data(patch):
    @around(patch, limits, "check_data")
    def check_data(real, what, data, most):
        if not isinstance(data, str):
            real(what, data, most)


@mutant(66, "VAL-05", "takes a negative limit for none")
def negative_is_all(patch):
    @around(patch, reading, "find")
    def find(real, memory, query, limit, after):
        return real(memory, query, limit if limit >= 0 else 10**9, after)


@mutant(59, "VAL-07", "rounds the due to seconds")
def due_in_seconds(patch):
    _stores(patch, lambda task: {"due": task.due - task.due % SECOND})


@mutant(204, "VAL-07", "keeps instants as floating point numbers of seconds since the year 1")
def due_as_float(patch):
    def rounded(task):
        begin = 62_135_596_800
        return {"due": round((task.due / SECOND + begin - begin) * SECOND)}

    _stores(patch, rounded)


@mutant(104, "VAL-08", "keeps no instant after 2038")
def until_2038(patch):
    _stores(patch, lambda task: {"due": min(task.due, (2**31 - 1) * SECOND)})


@mutant(205, "VAL-08", "accepts instants before 1970")
def before_1970(patch):
    patch.setattr(limits, "EARLIEST", -(2**63))


@mutant(68, "VAL-09", "ignores a transaction that it cannot join")
def ignores_within(patch):
    @around(patch, MemoryBackend, "put")
    def put(real, self, tasks, within=None):
        return real(self, tasks)


@mutant(230, "VAL-05", "takes a negative number of wanted tasks for 0")
def negative_wants(patch):
    @around(patch, queue, "claim")
    def claim(real, memory, worker_id, wants, excluding):
        return real(memory, worker_id, {want: max(0, n) for want, n in wants.items()}, excluding)


@mutant(231, "VAL-04", "refuses what is like bytes")
def bytes_only(patch):
    patch.setattr(kit, "with_bytes", lambda task: task)
