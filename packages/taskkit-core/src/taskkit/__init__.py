"""taskkit: a task queue for threads, on the store that you already run.

The names below are imported when they are first used, so that ``import taskkit`` and
``taskkit --help`` cost next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock, ManualClock, SystemClock
    from taskkit.context import TaskContext, current_task
    from taskkit.errors import (
        AttemptCancelled,
        AttemptTimedOut,
        BackendError,
        DiscardTask,
        InvalidData,
        InvalidInput,
        InvalidSchedule,
        InvalidSetting,
        InvalidTask,
        QueueFull,
        ResultGetPrevented,
        ResultGetTimedOut,
        RetryTask,
        TaskCancelled,
        TaskFailed,
        TaskkitError,
        TaskLost,
        TaskNotFound,
        UnknownTask,
    )
    from taskkit.handler import TaskHandler
    from taskkit.kit import Kit
    from taskkit.plugins import hookimpl
    from taskkit.records import Record
    from taskkit.registry import TaskRegistry, exponential, fixed, linear
    from taskkit.result import Result
    from taskkit.schedule import (
        CronSchedule,
        DuplicationPolicy,
        IntervalSchedule,
        OnlyEarliest,
        OnlyLatest,
        RegularSchedule,
        Schedule,
        ScheduleEntriesCompat,
        ScheduleEntriesCompatMapping,
        ScheduleEntry,
        ScheduleEntryCompat,
        ScheduleEntryDict,
    )
    from taskkit.specs import InitiateTaskArgs
    from taskkit.stores import backends, connect
    from taskkit.task import State, Task

__version__ = "0.3.0"

_HOMES = {
    "backend": ("Backend",),
    "clock": ("Clock", "ManualClock", "SystemClock"),
    "context": ("TaskContext", "current_task"),
    "errors": (
        "AttemptCancelled",
        "AttemptTimedOut",
        "BackendError",
        "DiscardTask",
        "InvalidData",
        "InvalidInput",
        "InvalidSchedule",
        "InvalidSetting",
        "InvalidTask",
        "QueueFull",
        "ResultGetPrevented",
        "ResultGetTimedOut",
        "RetryTask",
        "TaskCancelled",
        "TaskFailed",
        "TaskLost",
        "TaskNotFound",
        "TaskkitError",
        "UnknownTask",
    ),
    "handler": ("TaskHandler",),
    "kit": ("Kit",),
    "plugins": ("hookimpl",),
    "records": ("Record",),
    "registry": ("TaskRegistry", "exponential", "fixed", "linear"),
    "result": ("Result",),
    "schedule": (
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
    ),
    "specs": ("InitiateTaskArgs",),
    "stores": ("backends", "connect"),
    "task": ("State", "Task"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

# The same names once more, because type checkers read this list and run nothing.
__all__ = [
    "AttemptCancelled",
    "AttemptTimedOut",
    "Backend",
    "BackendError",
    "Clock",
    "CronSchedule",
    "DiscardTask",
    "DuplicationPolicy",
    "InitiateTaskArgs",
    "IntervalSchedule",
    "InvalidData",
    "InvalidInput",
    "InvalidSchedule",
    "InvalidSetting",
    "InvalidTask",
    "Kit",
    "ManualClock",
    "OnlyEarliest",
    "OnlyLatest",
    "QueueFull",
    "Record",
    "RegularSchedule",
    "Result",
    "ResultGetPrevented",
    "ResultGetTimedOut",
    "RetryTask",
    "Schedule",
    "ScheduleEntriesCompat",
    "ScheduleEntriesCompatMapping",
    "ScheduleEntry",
    "ScheduleEntryCompat",
    "ScheduleEntryDict",
    "State",
    "SystemClock",
    "Task",
    "TaskCancelled",
    "TaskContext",
    "TaskFailed",
    "TaskHandler",
    "TaskLost",
    "TaskNotFound",
    "TaskRegistry",
    "TaskkitError",
    "UnknownTask",
    "__version__",
    "backends",
    "connect",
    "current_task",
    "exponential",
    "fixed",
    "hookimpl",
    "linear",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
