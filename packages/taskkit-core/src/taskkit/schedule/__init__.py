"""When tasks are put by themselves: schedules, entries, and the scheduler that runs them."""

from __future__ import annotations

from taskkit.schedule.cron import CronSchedule
from taskkit.schedule.entry import (
    ScheduleEntriesCompat,
    ScheduleEntriesCompatMapping,
    ScheduleEntry,
    ScheduleEntryCompat,
    ScheduleEntryDict,
)
from taskkit.schedule.interval import IntervalSchedule
from taskkit.schedule.missed import DuplicationPolicy, OnlyEarliest, OnlyLatest
from taskkit.schedule.protocol import Schedule
from taskkit.schedule.regular import RegularSchedule

__all__ = [
    "CronSchedule",
    "DuplicationPolicy",
    "IntervalSchedule",
    "OnlyEarliest",
    "OnlyLatest",
    "RegularSchedule",
    "Schedule",
    "ScheduleEntriesCompat",
    "ScheduleEntriesCompatMapping",
    "ScheduleEntry",
    "ScheduleEntryCompat",
    "ScheduleEntryDict",
]
