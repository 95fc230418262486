from __future__ import annotations

import json

import pytest

from taskkit import ManualClock, RegularSchedule, ScheduleEntry
from taskkit.clock import SECOND
from taskkit.memory.backend import MemoryBackend
from taskkit.records import Query
from taskkit.schedule.stored import Schedules


@pytest.fixture
def clock():
    return ManualClock(1_767_225_600 * SECOND)  # 2026-01-01 00:00 UTC


@pytest.fixture
def backend(clock):
    with_clock = MemoryBackend(clock)
    yield with_clock
    with_clock.close()


@pytest.fixture
def put_ticks(backend):
    """Return the ticks of all tasks of a name, in order, in seconds since the start."""

    def put_ticks(name="n"):
        records = backend.find(Query(name=name), 10_000).records
        return sorted((each.task.scheduled - 1_767_225_600 * SECOND) / SECOND for each in records)

    return put_ticks


@pytest.fixture
def entry():
    def entry(key="k", schedule=None, **options):
        schedule = RegularSchedule() if schedule is None else schedule
        return ScheduleEntry(key, schedule, "g", options.pop("name", "n"), b"1", **options)

    return entry


@pytest.fixture
def stored(backend):
    class Handler:
        def encode_data(self, group, task_name, data):
            return json.dumps(data).encode()

    return Schedules(backend, Handler())
