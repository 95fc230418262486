"""Mutants of waiting."""

from __future__ import annotations

import socket
from weakref import WeakKeyDictionary

from mutants.mutant import around, mutant
from taskkit.memory import control, reading
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.news import News
from taskkit.memory.state import Memory

_HOUR = 3600.0


@mutant(233, "WAI-01", "wakes nobody but for puts", lane="race")
def only_puts_wake(patch):
    silent = set()

    @around(patch, News, "add")
    def add(real, self):
        return self.count if self in silent else real(self)

    for name in ("settle", "retire", "requeue", "reschedule", "resume", "configure", "delete"):

        @around(patch, MemoryBackend, name)
        def call(real, self, *args, **options):
            silent.add(self.memory.news)
            try:
                return real(self, *args, **options)
            finally:
                silent.discard(self.memory.news)


@mutant(234, "WAI-02", "compares with what is there when the wait begins")
def what_came_before_is_old(patch):
    @around(patch, News, "wait")
    def wait(real, self, groups, timeout, news_of):
        self._seen.__dict__.update(dict.fromkeys(groups, self.count))
        return real(self, groups, timeout, news_of)


@mutant(235, "WAI-03", "lets those who wait sleep on when it closes", lane="race")
def close_wakes_nobody(patch):
    patch.setattr(Memory, "wake_all", lambda self: None)


@mutant(236, "WAI-04", "waits on for a task that is gone", lane="race")
def gone_is_not_over(patch):
    @around(patch, reading, "is_over")
    def is_over(real, memory, task_id):
        return task_id in memory.tasks and real(memory, task_id)


@mutant(237, "WAI-05", "takes no time for any time", lane="race")
def no_time_is_for_ever(patch):
    @around(patch, MemoryBackend, "wait_done")
    def wait_done(real, self, task_id, timeout):
        return real(self, task_id, timeout or _HOUR)


@mutant(238, "WAI-01", "wakes nobody when a pause is lifted", lane="race")
def resume_wakes_nobody(patch):
    @around(patch, control, "resume")
    def resume(real, memory, groups):
        count, everyone = memory.news.count, memory.news._everyone
        real(memory, groups)
        memory.news.count, memory.news._everyone = count, everyone


@mutant(311, "WAI-03", "rings those who wait by what they close when they go", lane="race")
def close_rings_a_closed_bell(patch):
    # A socket, not a bare descriptor: closed it has no number, so that no other file is written to.
    bells = WeakKeyDictionary()

    for name in ("wait", "wait_done"):

        @around(patch, MemoryBackend, name)
        def wait(real, self, *args):
            ours, theirs = socket.socketpair()
            with ours, theirs:
                bells[self] = ours
                return real(self, *args)

    @around(patch, MemoryBackend, "close")
    def close(real, self):
        bell = bells.get(self)
        real(self)
        if bell is not None:
            bell.send(b"!")
