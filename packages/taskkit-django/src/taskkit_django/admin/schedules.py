"""The pages of schedules: listed with their next ticks, created, edited, paused, run now."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, cast

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, DELETION
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from taskkit.errors import InvalidSchedule, TaskkitError
from taskkit.schedule import CronSchedule, IntervalSchedule, ScheduleEntry
from taskkit.schedule.forms import entry_from
from taskkit.schedule.scheduler import STORED
from taskkit.schedule.state import Form, decode_states
from taskkit_django.admin.delays import write_delay
from taskkit_django.admin.operating import log, may
from taskkit_django.admin.places import alias
from taskkit_django.admin.schedule_form import PREVIEW, EntryForm, zones
from taskkit_django.admin.showing import bare_name
from taskkit_django.handler import known_names
from taskkit_django.kit import kit
from taskkit_django.models import Schedule
from taskkit_django.recurring import run_now
from taskkit_django.sections import ScheduleEntry as Entry

_LOGGED: Final = {
    "pause": "Paused.",
    "resume": "Resumed.",
    "run": "Run now.",
    "remove": "Removed.",
}


class ScheduleAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs alone
    """Schedule entries, by scheduler."""

    # ---- the list

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the entries of a scheduler, or do what a button asks for."""
        if not may(request, "view", Entry):
            raise PermissionDenied
        if request.method == "POST":
            _steer(request)
            return HttpResponseRedirect(request.get_full_path())
        stored = Schedule.objects.using(alias()).order_by("name").values_list("name", flat=True)
        names = sorted({STORED, *stored[:100]} - {"taskkit.purge"})
        scheduler = request.GET.get("scheduler", "")
        shown = [scheduler] if scheduler in names else names[:6]
        context = {
            **self.admin_site.each_context(request),
            "title": "Schedules",
            "opts": self.opts,
            "media": self.media,
            "schedulers": names,
            "rows": [row for name in shown for row in _rows(name)],
            "shown": shown,
            "is_all": len(shown) == len(names),
            "may_add": may(request, "add", Entry),
            "may_change": may(request, "change", Entry),
            "may_delete": may(request, "delete", Entry),
        }
        return TemplateResponse(request, "admin/taskkit/schedules.html", context)

    # ---- one entry

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Add an entry."""
        if not may(request, "add", Entry):
            raise PermissionDenied
        return self._form(request, None)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """Edit a stored entry."""
        if not may(request, "view", Entry):
            raise PermissionDenied
        entry = _stored(unquote(object_id))
        if entry is None:
            gone: Any = self
            away = gone._get_obj_does_not_exist_redirect(request, self.opts, unquote(object_id))
            return cast("HttpResponse", away)
        if not isinstance(entry.schedule, CronSchedule | IntervalSchedule):
            messages.warning(
                request,
                f"{entry.key} has a schedule that only code can write: {entry.schedule!r}. Saved "
                "here, it gets the one below.",
            )
        return self._form(request, entry)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Lead to the list, where entries are removed."""
        return self._to_list()

    def _to_list(self) -> HttpResponse:
        place = "admin:taskkit_scheduleentry_changelist"
        return HttpResponseRedirect(reverse(place, current_app=self.admin_site.name))

    def _form(self, request: HttpRequest, old: ScheduleEntry | None) -> HttpResponse:
        is_post = request.method == "POST"
        permission = "add" if old is None else "change"
        may_save = may(request, permission, Entry)
        form = EntryForm(request.POST if is_post else None, old=old, may_save=may_save)
        ticks = []
        if is_post:
            if not may_save:
                raise PermissionDenied
            if form.is_valid() and form.entry is not None:
                if "_preview" not in request.POST and _save(request, form.entry, old):
                    return self._to_list()
                ticks = form.ticks()
        elif old is not None:
            listed = {each.key: each for each in kit().schedules.list(STORED, PREVIEW)}
            ticks = list(listed[old.key].next)
        context = {
            **self.admin_site.each_context(request),
            "title": "Add schedule" if old is None else old.key,
            "opts": self.opts,
            "media": self.media,
            "form": form,
            "ticks": ticks,
            "original": None if old is None else old.key,
            "object_id": None if old is None else old.key,
            "names": known_names(),
            "zones": zones(),
            "may_save": may_save,
        }
        return TemplateResponse(request, "admin/taskkit/schedule.html", context)


def _rows(scheduler: str) -> list[dict[str, Any]]:
    states = decode_states(kit().backend.load_schedule(scheduler).state)
    return [
        {
            "entry": entry,
            "name": bare_name(entry.name),
            "when": told(entry.schedule, states[entry.key].form if entry.key in states else None),
        }
        for entry in kit().schedules.list(scheduler, PREVIEW)
    ]


def told(written: str, form: Form | None) -> str:
    """Return a schedule in words, as far as its form tells it; else as code would write it."""
    schedule = (form or {}).get("schedule")
    if not isinstance(schedule, dict):
        return written
    if schedule.get("kind") == "cron":
        return f"cron {schedule.get('expression')} ({schedule.get('zone')})"
    if schedule.get("kind") == "interval" and isinstance(schedule.get("every"), int):
        return f"every {write_delay(timedelta(microseconds=schedule['every']))}"
    return written


def _stored(key: str) -> ScheduleEntry | None:
    state = decode_states(kit().backend.load_schedule(STORED).state).get(key)
    if state is None or not state.stored or state.form is None:
        return None
    try:
        return entry_from(key, state.form)
    except InvalidSchedule:
        return None


def _save(request: HttpRequest, entry: ScheduleEntry, old: ScheduleEntry | None) -> bool:
    try:
        if old is None and _stored(entry.key) is not None:
            raise InvalidSchedule(
                f"the key {entry.key!r} is taken: choose another, or edit that one"
            )
        kit().schedules.add(entry)
    except TaskkitError as error:
        messages.error(request, str(error))
        return False
    flag, text = (ADDITION, "Added.") if old is None else (CHANGE, "Changed.")
    log(request, [Entry(key=entry.key)], flag, text)
    messages.success(request, f"Saved {entry.key}. Workers see it within seconds.")
    return True


def _steer(request: HttpRequest) -> None:
    what, _, rest = request.POST.get("_steer", "").partition(" ")
    scheduler, _, key = rest.partition("\t")
    permission = "delete" if what == "remove" else "change"
    if what not in _LOGGED:
        return
    if not may(request, permission, Entry):
        raise PermissionDenied
    try:
        told = _do(what, scheduler, key)
    except TaskkitError as error:
        messages.error(request, str(error))
        return
    flag = DELETION if what == "remove" else CHANGE
    log(request, [Entry(key=key)], flag, _LOGGED[what])
    messages.success(request, f"{key}: {told}")


def _do(what: str, scheduler: str, key: str) -> str:
    schedules = kit().schedules
    if what == "run":
        return f"put the task {run_now(kit(), scheduler, key)}."
    if what == "pause":
        schedules.pause(key, scheduler)
    elif what == "resume":
        schedules.resume(key, scheduler)
    else:
        schedules.remove(key, scheduler)
    return _LOGGED[what].lower()


def register(site: admin.AdminSite) -> None:
    """Have a site show schedules."""
    site.register(Entry, ScheduleAdmin)
