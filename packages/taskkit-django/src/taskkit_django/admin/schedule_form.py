"""The form of a schedule entry: between what people type and a ``ScheduleEntry``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import available_timezones

from django import forms
from django.utils.timezone import get_default_timezone_name

from taskkit.errors import InvalidInput, TaskkitError
from taskkit.schedule import CronSchedule, IntervalSchedule, ScheduleEntry
from taskkit.schedule.missed import MISSED
from taskkit.schedule.protocol import next_tick
from taskkit.schedule.zones import load_zone, zone_name
from taskkit_django.admin import redaction
from taskkit_django.admin.arguments import written
from taskkit_django.admin.delays import read_delay, write_delay
from taskkit_django.handler import HANDLER

PREVIEW: Final = 5


class EntryForm(forms.Form):
    """What an entry puts, and when."""

    key = forms.CharField(max_length=255, help_text="Tells this schedule from others.")
    name = forms.CharField(
        max_length=200,
        label="Task",
        help_text="As the task is called, such as shop.tasks.report; tasks of Django begin with "
        "django.tasks: and those of the Celery-style API with celery:",
        widget=forms.TextInput(attrs={"list": "taskkit-names", "size": 60}),
    )
    group = forms.CharField(max_length=100, initial="default")
    arguments = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 60, "spellcheck": "false"}),
        help_text='JSON: a list of positional arguments, ["a@b.c", 5], or an object of named '
        'ones, {"to": "a@b.c"}. Nothing is no arguments.',
    )
    kind = forms.ChoiceField(
        choices=[("cron", "at times, as cron"), ("interval", "every so often")], label="When"
    )
    when = forms.CharField(
        max_length=200,
        label="",
        help_text="Minute, hour, day of month, month, day of week: 30 3 * * 1-5 (or @daily). "
        "Every so often: 90s, 10m, 1h 30m, 2d.",
    )
    zone = forms.CharField(
        max_length=100,
        label="Time zone",
        help_text="Of cron's hours.",
        widget=forms.TextInput(attrs={"list": "taskkit-zones"}),
    )
    missed = forms.ChoiceField(
        choices=[(each, each) for each in MISSED],
        help_text="Ticks at which no worker ran: the latest is made up for, the earliest, all, "
        "none.",
    )
    priority = forms.IntegerField(min_value=-100, max_value=100, initial=0)

    def __init__(
        self, data: Any = None, *, old: ScheduleEntry | None = None, may_save: bool = True
    ) -> None:
        super().__init__(data, initial=_initial() if old is None else _initial_of(old))
        self.old = old
        self.entry: ScheduleEntry | None = None
        if old is not None:
            self.fields["key"].disabled = True
            if not may_save:
                # Who edits arguments has to see them; who only looks is shown no secrets.
                self.initial["arguments"] = redaction.one_line(old.name, old.data)

    def clean(self) -> dict[str, Any]:
        """Make the entry; what taskkit says against it is told at the field that it is about."""
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        data = self._part("arguments", lambda: self._data(cleaned))
        schedule = self._part("when", lambda: _schedule(cleaned))
        if self.errors:
            return cleaned
        kept = {} if self.old is None else _kept(self.old)
        try:
            self.entry = ScheduleEntry(
                key=cleaned["key"],
                schedule=schedule,
                group=cleaned["group"],
                name=cleaned["name"],
                data=data,
                missed=cleaned["missed"],
                priority=cleaned["priority"],
                **kept,
            )
        except InvalidInput as error:
            self.add_error(None, str(error))
        return cleaned

    def clean_zone(self) -> str:
        """Refuse what is no zone."""
        zone: str = self.cleaned_data["zone"]
        try:
            load_zone(zone)
        except (TaskkitError, ValueError) as error:
            raise forms.ValidationError(str(error)) from error
        return zone

    def ticks(self) -> list[datetime]:
        """Return the next ticks of what is typed in."""
        from django.utils import timezone

        from taskkit.clock import to_datetime, to_instant

        assert self.entry is not None
        found: list[datetime] = []
        instant: int | None = to_instant(timezone.now())
        zone = timezone.get_default_timezone()
        while len(found) < PREVIEW and instant is not None:
            instant = next_tick(self.entry.schedule, instant, zone)
            if instant is not None:
                found.append(to_datetime(instant, zone))
        return found

    def _part(self, field: str, make: Any) -> Any:
        try:
            return make()
        except (TaskkitError, ValueError) as error:
            self.add_error(field, str(error))
            return None

    def _data(self, cleaned: Mapping[str, Any]) -> bytes:
        text = cleaned["arguments"].strip()
        if self.old is not None:
            before = written(self.old.data)
            is_same_task = all(cleaned[each] == self.initial[each] for each in ("group", "name"))
            if text == before.text and is_same_task:
                return self.old.data
            if before.hidden is not None:
                raise ValueError(
                    f"expected the arguments, the task and the group as they were, because "
                    f"{before.hidden}, which cannot be edited here: add another schedule, or "
                    "change this one in code"
                )
        found: Any = json.loads(text) if text else []
        if not isinstance(found, list | dict):
            raise ValueError("expected a list or an object")  # noqa: TRY004 - a person's input
        given = tuple(found) if isinstance(found, list) else found
        return HANDLER.encode_data(cleaned["group"], cleaned["name"], given)


def zones() -> list[str]:
    """Return the names of time zones."""
    return sorted(available_timezones())


def _schedule(cleaned: Mapping[str, Any]) -> Any:
    if cleaned["kind"] == "cron":
        return CronSchedule(cleaned["when"], load_zone(cleaned["zone"]))
    every = read_delay(cleaned["when"])
    if every is None:
        raise ValueError("expected a time such as 10m")
    return IntervalSchedule(every)


def _kept(old: ScheduleEntry) -> dict[str, Any]:
    # What the form does not show stays as it was.
    return {
        "result_ttl": old.result_ttl,
        "timeout": old.timeout,
        "labels": old.labels,
        "paused": old.paused,
    }


def _initial() -> dict[str, Any]:
    return {"missed": "latest", "zone": get_default_timezone_name(), "group": "default"}


def _initial_of(entry: ScheduleEntry) -> dict[str, Any]:
    schedule = entry.schedule
    when: dict[str, Any] = {"kind": "cron", "when": "", "zone": get_default_timezone_name()}
    if isinstance(schedule, CronSchedule):
        when["when"] = schedule.expression
        if isinstance(schedule.tz, tzinfo):
            when["zone"] = zone_name(schedule.tz)
    elif isinstance(schedule, IntervalSchedule) and isinstance(schedule.every, timedelta):
        when |= {"kind": "interval", "when": write_delay(schedule.every)}
    return {
        "key": entry.key,
        "name": entry.name,
        "group": entry.group,
        "arguments": written(entry.data).text,
        "missed": entry.missed or "latest",
        "priority": entry.priority,
        **when,
    }
