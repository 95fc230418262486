"""What workers are told: what was said where they are started, and what the kit says beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, TypeAlias

from taskkit.errors import InvalidSetting
from taskkit.limits import check_int
from taskkit.settings import DEFAULT_GRACE, MAX_PROCESSES, Slots, WorkerSettings

if TYPE_CHECKING:
    from taskkit.kit import Kit
    from taskkit.schedule import ScheduleEntriesCompatMapping

GroupSlots: TypeAlias = Mapping[str, int | str | Slots]
"""Slots for each group: ``{"mail": 8, "crawl": "async:200"}``."""


@dataclass(frozen=True, slots=True)
class PartialSettings:
    """What was said about workers of a kit that only they will load: the kit says the rest.

    The command line starts them so: a supervisor that loads no kit costs a third of the memory.
    """

    groups: GroupSlots
    options: Mapping[str, Any]
    """Fields of ``WorkerSettings``."""
    services: bool = True

    @property
    def grace(self) -> float:
        """Seconds that running tasks get after a stop."""
        return float(self.options.get("grace", DEFAULT_GRACE))

    def complete(self, kit: Kit) -> WorkerSettings:
        """Return the settings, now that the kit is there."""
        return worker_settings(kit, self.groups, services=self.services, **self.options)


def worker_settings(
    kit: Kit,
    slots: GroupSlots,
    schedule_entries: ScheduleEntriesCompatMapping | None = None,
    tzinfo: tzinfo | None = None,
    polling_interval: float | None = None,
    **options: Any,
) -> WorkerSettings:
    """Return what one worker process is told; the arguments are those of ``start``.

    Raises:
        InvalidSetting: an option is unknown or outside its limits.
    """
    if not isinstance(slots, Mapping):
        raise InvalidSetting(
            f"expected slots for each group, such as {{'mail': 8}}, found {slots!r}"
        )
    schedule_entries = schedule_entries or kit.schedule_entries
    fields: dict[str, Any] = {
        "groups": {group: Slots.of(count, group) for group, count in slots.items()},
        "lease": kit.lease,
        "heartbeat": kit.heartbeat,
        "tzinfo": tzinfo or kit.tzinfo,
        "max_data_bytes": kit.max_data_bytes,
        **options,
    }
    if polling_interval is not None:
        fields["poll"] = polling_interval
    if schedule_entries:
        from taskkit.schedule.entry import to_entries

        fields["schedules"] = to_entries(schedule_entries, kit.handler.encode_data)
    known = WorkerSettings.__slots__
    for option in fields:
        if option not in known:
            raise InvalidSetting(
                f"expected an option of a worker ({', '.join(known)}), found {option!r}"
            )
    return WorkerSettings(**fields)


def check_processes(count: int) -> int:
    """Return a number of worker processes, or refuse it."""
    try:
        check_int("num_processes", count, 1, MAX_PROCESSES)
    except ValueError as error:
        raise InvalidSetting(str(error)) from error
    return count
