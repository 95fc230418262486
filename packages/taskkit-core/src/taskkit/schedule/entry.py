"""What is done when: ``ScheduleEntry``, its dict form, and how people's entries become ours."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Final, TypeAlias, TypedDict

from taskkit.errors import InvalidInput, InvalidSchedule
from taskkit.limits import (
    DEFAULT_MAX_DATA_BYTES,
    MAX_PRIORITY,
    MIN_PRIORITY,
    check_data,
    check_duration,
    check_group,
    check_int,
    check_key,
    check_labels,
    check_name,
)
from taskkit.schedule.missed import MISSED, Missed, OnlyEarliest, OnlyLatest, Policy
from taskkit.schedule.protocol import Schedule
from taskkit.task import Label

logger = logging.getLogger("taskkit.schedule")

MAX_ENTRIES: Final = 5_000
"""Entries of one scheduler: each may put a task in one step, and a step is one batch."""

Encode: TypeAlias = Callable[[str, str, Any], bytes]
"""Encodes data for a group and a task name: ``TaskHandler.encode_data``."""


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """Puts a task at each tick of a schedule.

    Raises:
        InvalidSchedule: a field is outside its limits; the message names the entry.
    """

    key: str
    """Identifies the entry within its scheduler; what has been done is remembered under it."""
    schedule: Schedule
    group: str
    name: str
    data: bytes
    """Encoded, as the handler's ``encode_data`` does it."""
    result_ttl: float | None = None
    """Seconds for which a finished task is kept; None for the usual."""
    _: KW_ONLY
    missed: Missed | None = None
    """Which of the ticks still run at which no scheduler was there. Given None, it becomes what
    the schedule's ``duplication_policy`` says, otherwise ``"latest"``."""
    priority: int = 0
    timeout: float | None = None
    """Seconds that one attempt may take."""
    labels: Mapping[str, Label] = field(default_factory=dict, hash=False)
    paused: bool = False
    """Its ticks pass without a task; when it goes on, it goes on from then."""

    def __post_init__(self) -> None:
        try:
            check_key("key", self.key)
            check_group(self.group)
            check_name(self.name)
            check_data("data", self.data, DEFAULT_MAX_DATA_BYTES)
            check_int("priority", self.priority, MIN_PRIORITY, MAX_PRIORITY)
            check_labels(self.labels)
            if self.result_ttl is not None:
                check_duration("result_ttl", self.result_ttl)
            if self.timeout is not None:
                check_duration("timeout", self.timeout, zero=False)
            _check_schedule(self.schedule)
            _check_missed(self.missed)
        except InvalidInput as error:
            raise InvalidSchedule(f"entry {self.key!r}: {error}") from error

    @property
    def policy(self) -> Policy:
        """What happens to missed ticks: the entry's word, else the schedule's, else the latest."""
        if self.missed is not None:
            return self.missed
        policy = getattr(self.schedule, "duplication_policy", None)
        if policy is None or isinstance(policy, OnlyLatest):
            return "latest"
        return "earliest" if isinstance(policy, OnlyEarliest) else policy


# Two classes, because NotRequired is not seen at run time where annotations are text.
class _Required(TypedDict):
    key: str
    schedule: Schedule
    group: str
    name: str
    data: Any


class ScheduleEntryDict(_Required, total=False):
    """A ``ScheduleEntry`` as a dict, with its data *not* encoded: the kit does that."""

    result_ttl: float | None
    missed: Missed | None
    priority: int
    timeout: float | None
    labels: Mapping[str, Label]
    paused: bool


ScheduleEntryCompat: TypeAlias = ScheduleEntry | ScheduleEntryDict
ScheduleEntriesCompat: TypeAlias = Sequence[ScheduleEntryCompat]
ScheduleEntriesCompatMapping: TypeAlias = Mapping[str, ScheduleEntriesCompat]
"""Entries by the name of their scheduler."""

_REQUIRED: Final = ScheduleEntryDict.__required_keys__
_KNOWN: Final = _REQUIRED | ScheduleEntryDict.__optional_keys__


def to_entries(
    mapping: ScheduleEntriesCompatMapping, encode: Encode
) -> dict[str, tuple[ScheduleEntry, ...]]:
    """Return people's entries as ``ScheduleEntry``, by scheduler, everything checked.

    A key that comes again within one scheduler is made distinct by position (``"a"``, ``"a#2"``)
    and logged: each entry needs a memory of its own.

    Raises:
        InvalidSchedule: an entry cannot be understood; the message names scheduler and key.
    """
    if not isinstance(mapping, Mapping):
        raise InvalidSchedule(
            f"expected lists of entries by the names of their schedulers, found {mapping!r}"
        )
    return {name: _scheduler_entries(name, given, encode) for name, given in mapping.items()}


def _scheduler_entries(name: object, given: object, encode: Encode) -> tuple[ScheduleEntry, ...]:
    scheduler = check_scheduler(name)
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise InvalidSchedule(
            f"scheduler {scheduler!r}: expected a list of entries, found {given!r}"
        )
    if len(given) > MAX_ENTRIES:
        raise InvalidSchedule(
            f"scheduler {scheduler!r}: expected at most {MAX_ENTRIES} entries, found {len(given)}; "
            "divide them among several schedulers"
        )
    try:
        return distinct(scheduler, [to_entry(each, encode) for each in given])
    except InvalidSchedule as error:
        raise InvalidSchedule(f"scheduler {scheduler!r}: {error}") from error


def check_scheduler(name: object) -> str:
    """Return the name of a scheduler.

    Raises:
        InvalidSchedule: it is not 1 to 255 printable characters.
    """
    try:
        check_key("name of a scheduler", name)
    except InvalidInput as error:
        raise InvalidSchedule(str(error)) from error
    return str(name)


def to_entry(given: ScheduleEntryCompat, encode: Encode) -> ScheduleEntry:
    """Return one entry of either form as a ``ScheduleEntry``.

    Raises:
        InvalidSchedule: it is of neither form, lacks something, or has something unknown.
    """
    if isinstance(given, ScheduleEntry):
        return given
    if not isinstance(given, Mapping):
        raise InvalidSchedule(
            f"expected a ScheduleEntry, or a dict with {', '.join(sorted(_REQUIRED))}, "
            f"found {given!r}"
        )
    key = given.get("key")
    if missing := sorted(_REQUIRED - given.keys()):
        raise InvalidSchedule(f"entry {key!r}: expected also {', '.join(missing)}")
    if unknown := sorted(map(str, given.keys() - _KNOWN)):
        raise InvalidSchedule(
            f"entry {key!r}: unknown: {', '.join(unknown)}; known: {', '.join(sorted(_KNOWN))}"
        )
    try:
        data = encode(given["group"], given["name"], given["data"])
    except Exception as error:
        # Whatever a handler raises here, it has to be said which entry it was about.
        raise InvalidSchedule(f"entry {key!r}: its data cannot be encoded: {error}") from error
    fields: dict[str, Any] = {**given, "data": data}
    return ScheduleEntry(**fields)


def distinct(scheduler: str, entries: Sequence[ScheduleEntry]) -> tuple[ScheduleEntry, ...]:
    """Return the entries with their keys made distinct by position."""
    taken = {entry.key for entry in entries}
    seen: set[str] = set()
    found: list[ScheduleEntry] = []
    for entry in entries:
        key = entry.key
        if key in seen:
            key = _free_key(entry.key, taken)
            logger.warning(
                "scheduler %r: the key %r is given more than once; it becomes %r here. Give each "
                "entry a key of its own, so that its memory does not depend on its position",
                scheduler,
                entry.key,
                key,
            )
            entry = replace(entry, key=key)  # noqa: PLW2901 - the same entry, renamed
        taken.add(key)
        seen.add(key)
        found.append(entry)
    return tuple(found)


def _free_key(key: str, taken: set[str]) -> str:
    number = 2
    while f"{key}#{number}" in taken:
        number += 1
    return f"{key}#{number}"


def _check_schedule(schedule: object) -> None:
    if not callable(getattr(schedule, "next_after", None)) or isinstance(schedule, type):
        raise InvalidSchedule(
            "schedule: expected an object with a method next_after(moment), such as "
            f"RegularSchedule(minutes={{0, 30}}) or CronSchedule('*/5 * * * *'), found {schedule!r}"
        )


def _check_missed(missed: object) -> None:
    if missed is not None and missed not in MISSED:
        raise InvalidSchedule(f"missed: expected one of {', '.join(MISSED)}, found {missed!r}")
