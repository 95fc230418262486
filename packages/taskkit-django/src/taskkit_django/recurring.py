"""``@recurring``: tasks that a schedule puts, declared where the function is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from taskkit.errors import InvalidSchedule
from taskkit.schedule import Schedule, ScheduleEntry, ScheduleEntryDict
from taskkit.schedule.missed import Missed

if TYPE_CHECKING:
    from taskkit import Kit

SCHEDULER: Final = "code"
"""The scheduler of the entries that are declared so."""

_DECLARED: Final[dict[str, ScheduleEntryDict]] = {}

_SAID: Final = ("priority", "timeout", "labels")
"""What an entry may say of its tasks in place of what their function declares."""

F = TypeVar("F")


def recurring(
    schedule: Schedule,
    arguments: tuple[Any, ...] | Mapping[str, Any] = (),
    *,
    key: str | None = None,
    missed: Missed | None = None,
    priority: int = 0,
    labels: Mapping[str, str | int | float | bool] | None = None,
) -> Callable[[F], F]:
    """Have a task put at each tick of a schedule; give several to have it put by several.

    Stands above any decorator that makes a task: ``taskkit_django.task``, ``@task`` of Django or of
    ``taskkit_django.tasks``, ``shared_task``. Workers run it; web processes only declare it.

    Args:
        schedule: ``CronSchedule("0 3 * * *")``, ``IntervalSchedule(60)`` …; without a zone of its
            own in the project's time zone.
        arguments: A tuple of positional or a dict of keyword ones.
        key: Tells it from others; the task's name unless given. What is remembered of it, such as
            its last tick, goes by this.
        missed: What becomes of ticks at which no worker ran: ``latest`` (default), ``earliest``,
            ``all`` or ``none``.
        priority: −100 to 100, high first.
        labels: To find its tasks by.

    Raises:
        InvalidSchedule: what it stands above is no task, or the key is taken.
    """

    def declare(task: F) -> F:
        name, group = _name_and_group(task)
        entry: ScheduleEntryDict = {
            "key": name if key is None else key,
            "schedule": schedule,
            "group": group,
            "name": name,
            "data": arguments,
            "missed": missed,
            "priority": priority,
            "labels": {} if labels is None else labels,
        }
        known = _DECLARED.get(entry["key"])
        if known is not None and (known["name"] != name or key is None):
            raise InvalidSchedule(
                f"recurring: the key {entry['key']!r} is taken by {known['name']!r}: give this "
                "one a key of its own"
            )
        _DECLARED[entry["key"]] = entry
        return task

    return declare


def declared() -> dict[str, list[ScheduleEntryDict]]:
    """Return the entries of the modules that were imported, by scheduler."""
    return {SCHEDULER: list(_DECLARED.values())} if _DECLARED else {}


def run_now(kit: Kit, scheduler: str, key: str) -> str:
    """Put a task of an entry at once, beside its ticks; return the task's id.

    Of one in the settings or in code by what this process knows: the store does not have its data.

    Raises:
        InvalidSchedule: nobody knows it, or only code does that was not imported here.
    """
    entries = {**(kit.schedule_entries or {}), **declared()}.get(scheduler, ())
    for entry in entries:
        if not isinstance(entry, ScheduleEntry) and entry["key"] == key:
            given = cast("Mapping[str, Any]", entry)
            said = {name: given[name] for name in _SAID if given.get(name)}
            return kit.initiate_task(entry["group"], entry["name"], entry["data"], **said).id
    return kit.schedules.run_now(key, scheduler)


def _name_and_group(task: Any) -> tuple[str, str]:
    from taskkit.registry import FunctionTask
    from taskkit_django.celery.handler import PREFIX as CELERY
    from taskkit_django.celery.shared import SharedTask
    from taskkit_django.tasks.handler import PREFIX as DJANGO
    from taskkit_django.tasks.handler import surface_of

    if isinstance(task, FunctionTask):
        return task.name, task.group
    if isinstance(task, SharedTask):
        return CELERY + task.name, task.queue
    if surface_of(task) is not None:
        return DJANGO + task.module_path, task.queue_name
    raise InvalidSchedule(f"recurring: expected it above a task's decorator, found it on {task!r}")
