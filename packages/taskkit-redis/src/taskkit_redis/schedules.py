"""The state of schedulers, changed by compare-and-set together with the tasks that it asks for."""

from __future__ import annotations

from collections.abc import Sequence

from taskkit.records import ScheduleState
from taskkit.task import NewTask
from taskkit_redis import codec
from taskkit_redis.store import Store


def load_schedule(store: Store, name: str) -> ScheduleState:
    """Return version and state under ``name``."""
    version, state, now = store.call("load_schedule", store.home(name), name)
    return ScheduleState(int(version), state, int(now))


def advance_schedule(
    store: Store, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
) -> bool:
    """Store ``state`` and put ``tasks``, if the version is still this."""
    parts = [part for task in tasks for part in codec.task_arguments(task)]
    return bool(store.call("advance_schedule", store.home(name), name, version, state, *parts))
