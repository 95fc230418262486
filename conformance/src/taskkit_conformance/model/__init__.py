"""The reference model: what a store is, as an immutable value and functions on it.

``World(now)`` is an empty store. Each operation of the Backend protocol is a function that takes a
world and the call's arguments and returns every ``Step`` that may happen: an answer and the world
after it. Several steps, or an answer that allows more than one thing, are the freedom that the
contract leaves; all of it is written here and none in the tests. A backend is right if one of the
steps allows what it answered.

Tokens are left to the store as long as they grow, so the model counts claims instead: the token of
the second claim of a task is 2. Whoever compares has to translate.
"""

from __future__ import annotations

from taskkit_conformance.model.answers import Step, differences
from taskkit_conformance.model.claiming import claim, claimable, first
from taskkit_conformance.model.control import (
    advance_schedule,
    configure,
    control,
    load_schedule,
    pause,
    resume,
    stop,
)
from taskkit_conformance.model.operations import (
    cancel,
    delete,
    purge,
    record,
    requeue,
    reschedule,
)
from taskkit_conformance.model.queue import put, settle, stands
from taskkit_conformance.model.reading import count, find, get, wait_done
from taskkit_conformance.model.workers import heartbeat, reclaim, register, retire, workers
from taskkit_conformance.model.world import Hold, Job, Worker, World, covered

__all__ = [
    "Hold", "Job", "Step", "Worker", "World", "advance_schedule", "cancel", "claim", "claimable",
    "configure", "control", "count", "covered", "delete", "differences", "find", "first", "get",
    "heartbeat", "load_schedule", "pause", "purge", "put", "reclaim", "record", "register",
    "requeue", "reschedule", "resume", "retire", "settle", "stands", "stop", "wait_done", "workers",
]  # fmt: skip
