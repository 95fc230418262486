"""Schedules and entries as JSON: what can be stored, and read back by any later version."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Final

from taskkit.clock import micros, to_datetime, to_instant
from taskkit.errors import InvalidSchedule
from taskkit.schedule.cron import CronSchedule
from taskkit.schedule.entry import ScheduleEntry
from taskkit.schedule.interval import IntervalSchedule
from taskkit.schedule.missed import OnlyEarliest, OnlyLatest
from taskkit.schedule.protocol import Schedule
from taskkit.schedule.regular import FieldValue, RegularSchedule
from taskkit.schedule.state import Form
from taskkit.schedule.zones import Zone, load_zone, zone_name

_FIELDS: Final = ("seconds", "minutes", "hours", "days", "weekdays", "months")
_ENTRY_FIELDS: Final = (
    "group",
    "name",
    "result_ttl",
    "missed",
    "priority",
    "timeout",
    "labels",
    "paused",
)


def schedule_form(schedule: Schedule) -> Form:
    """Return a schedule as JSON.

    Raises:
        InvalidSchedule: it is of a kind that lives in code only, or its zone is.
    """
    match schedule:
        case RegularSchedule():
            return {"kind": "regular", "zone": _zone(schedule.tzinfo), **_regular(schedule)}
        case CronSchedule():
            return {
                "kind": "cron",
                "expression": schedule.expression,
                "zone": _zone(schedule.tz),
                "start": _instant(schedule.start),
                "end": _instant(schedule.end),
            }
        case IntervalSchedule():
            return {
                "kind": "interval",
                "every": micros(schedule.every),
                "start": _instant(schedule.start),
                "end": _instant(schedule.end),
            }
        case _:
            raise InvalidSchedule(
                "schedule: expected a RegularSchedule, CronSchedule or IntervalSchedule, because "
                f"only those can be stored, found {schedule!r}; define its entry in code"
            )


def schedule_from(form: Form) -> Schedule:
    """Return the schedule of which this is the form.

    Raises:
        InvalidSchedule: it is none, or it is one that cannot be.
    """
    try:
        match form["kind"]:
            case "regular":
                return RegularSchedule(
                    **{name: _set(form[name]) for name in _FIELDS},
                    tzinfo=load_zone(form["zone"]),
                    duplication_policy=OnlyEarliest() if form["earliest"] else OnlyLatest(),
                )
            case "cron":
                return CronSchedule(
                    form["expression"],
                    load_zone(form["zone"]),
                    start=_moment(form["start"]),
                    end=_moment(form["end"]),
                )
            case "interval":
                return IntervalSchedule(
                    timedelta(microseconds=form["every"]),
                    _moment(form["start"]),
                    _moment(form["end"]),
                )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InvalidSchedule(f"stored schedule: {error!r} in {form!r}") from error
    raise InvalidSchedule(f"stored schedule: of an unknown kind: {form!r}")


def in_zone(schedule: Schedule, tz: tzinfo) -> Schedule:
    """Return the schedule with a zone of its own, so that whoever reads it comes to its ticks."""
    match schedule:
        case RegularSchedule(tzinfo=None):
            return replace(schedule, tzinfo=tz)
        case CronSchedule(tz=None):
            return replace(schedule, tz=tz)
        case _:
            return schedule


def entry_form(entry: ScheduleEntry) -> Form:
    """Return an entry as JSON, without its key and its data (``with_data`` adds it).

    Raises:
        InvalidSchedule: its schedule lives in code only.
    """
    return {
        "schedule": schedule_form(entry.schedule),
        "group": entry.group,
        "name": entry.name,
        "result_ttl": entry.result_ttl,
        "missed": entry.missed,
        "priority": entry.priority,
        "timeout": entry.timeout,
        "labels": dict(entry.labels),
        "paused": entry.paused,
    }


def with_data(form: Form, data: bytes) -> Form:
    """Return the form of an entry with its data, so that it can be run from the store."""
    return {**form, "data": b64encode(data).decode()}


def entry_from(key: str, form: Form) -> ScheduleEntry:
    """Return the entry of which this is the form; without data where the form has none.

    Raises:
        InvalidSchedule: it is no form of an entry.
    """
    try:
        fields = {name: form[name] for name in _ENTRY_FIELDS}
        data = b64decode(form.get("data", ""), validate=True)
        return ScheduleEntry(key, schedule_from(form["schedule"]), data=data, **fields)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidSchedule(f"stored entry {key!r}: {error!r}") from error


def _regular(schedule: RegularSchedule) -> Form:
    policy = schedule.duplication_policy
    if not isinstance(policy, OnlyLatest | OnlyEarliest):
        raise InvalidSchedule(
            "duplication_policy: expected OnlyLatest() or OnlyEarliest(), because only those can "
            f"be stored, found {policy!r}; set the entry's missed= instead"
        )
    fields: Form = {name: _values(getattr(schedule, name)) for name in _FIELDS}
    return {**fields, "earliest": isinstance(policy, OnlyEarliest)}


def _values(value: FieldValue) -> list[int] | None:
    if value is None or isinstance(value, str):
        return None
    return sorted(value) if isinstance(value, Collection) else [value]


def _set(values: list[int] | None) -> frozenset[int] | None:
    return None if values is None else frozenset(values)


def _zone(zone: Zone) -> str | None:
    loaded: tzinfo | None = load_zone(zone)
    return None if loaded is None else zone_name(loaded)


def _instant(moment: datetime | None) -> int | None:
    return None if moment is None else to_instant(moment)


def _moment(instant: int | None) -> datetime | None:
    return None if instant is None else to_datetime(instant)
