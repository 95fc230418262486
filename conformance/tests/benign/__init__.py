"""Backends that are right, though unusual: the suite must not accuse them."""

from __future__ import annotations

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Final

from mutants.mutant import Apply, around

from taskkit.clock import SECOND, sleep
from taskkit.errors import InvalidInput
from taskkit.memory import backend, control, incoming, operations, queue, state, workers
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.entry import Entry
from taskkit.memory.state import Memory
from taskkit.records import Capabilities

VARIANTS: Final[dict[str, Apply]] = {}

_CALLS = (
    *("put", "claim", "settle", "register", "heartbeat", "retire", "reclaim", "workers", "get"),
    *("record", "load_schedule", "advance_schedule", "cancel", "requeue", "reschedule", "delete"),
    *("purge", "count", "find", "pause", "resume", "stop", "configure", "control"),
)


def variant(name: str) -> Callable[[Apply], Apply]:
    """Add a variant to the table."""

    def add(apply: Apply) -> Apply:
        VARIANTS[name] = apply
        return apply

    return add


def _declares(patch, **fields):
    usual = {"name": "memory", "wakeup": "push"}
    patch.setattr(backend, "_CAPABILITIES", Capabilities(**{**usual, **fields}))


@variant("lets others go on before and after each call")
def yields(patch):
    chance = random.Random(1)
    for name in _CALLS:

        @around(patch, MemoryBackend, name)
        def call(real, self, *args, **options):
            sleep(0.00002 * chance.randint(0, 1))
            return real(self, *args, **options)


@variant("connects anew for each call")
def reconnects(patch):
    for name in _CALLS:

        @around(patch, MemoryBackend, name)
        def call(real, self, *args, **options):
            return real(MemoryBackend(memory=self.memory), *args, **options)


@variant("gives copies")
def copies(patch):
    for name in ("claim", "get", "find", "workers", "control", "count"):

        @around(patch, MemoryBackend, name)
        def call(real, self, *args, **options):
            return deepcopy(real(self, *args, **options))


@variant("gives tuples where a sequence is enough")
def tuples(patch):
    @around(patch, MemoryBackend, "claim")
    def claim(real, self, *args, **options):
        answer = real(self, *args, **options)
        return replace(answer, claims=tuple(answer.claims))

    @around(patch, MemoryBackend, "find")
    def find(real, self, *args, **options):
        page = real(self, *args, **options)
        return replace(page, records=tuple(page.records))


@variant("leaves gaps between tokens")
def gaps(patch):
    chance = random.Random(2)

    @around(patch, Memory, "claim")
    def claim(real, self, *args):
        self.token += chance.randint(0, 1000)
        real(self, *args)


@variant("keeps no history, and says so")
def no_history(patch):
    _declares(patch, history=False)
    patch.setattr(Entry, "past", lambda self: ())


@variant("takes small batches, and says so")
def small_batches(patch):
    most = 500
    _declares(patch, max_batch=most)

    @around(patch, MemoryBackend, "put")
    def put(real, self, tasks, within=None):
        if len(tasks) > most:
            raise InvalidInput(f"expected at most {most} tasks, found {len(tasks)}")
        return real(self, tasks, within)


@variant("wakes whoever waits without need, and looks by itself for puts")
def wakes_often(patch):
    _declares(patch, wakeup="poll")

    @around(patch, MemoryBackend, "wait")
    def wait(real, self, groups, timeout):
        return real(self, groups, min(timeout, 0.01)) or True


@variant("counts in milliseconds, and says so")
def milliseconds(patch):
    step = SECOND // 1000
    _declares(patch, time_resolution=step)

    @around(patch, Memory, "tick")
    def tick(real, self):
        now = real(self)
        return now - now % step

    for module in (incoming, operations, queue, control, state):

        @around(patch, module, "resolve")
        def resolve(real, instant, now):
            found = real(instant, now)
            return found - found % step

    for module in (operations, queue):

        @around(patch, module, "resolve_task")
        def resolve_task(real, task, now):
            found = real(task, now)
            tick = found.scheduled
            return replace(found, scheduled=None if tick is None else tick - tick % step)

    for name in ("register", "heartbeat"):

        @around(patch, workers, name)
        def leased(real, memory, who, lease, *rest):
            return real(memory, who, lease - lease % step, *rest)
