"""The page of groups: how much is in each, and pausing them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from taskkit.clock import SECOND, to_datetime
from taskkit.errors import TaskkitError
from taskkit.records import ALL_GROUPS
from taskkit.task import After
from taskkit_django.admin.counting import GROUPS, MOST, STATES, count_groups, group_names
from taskkit_django.admin.delays import read_delay
from taskkit_django.admin.operating import log, may
from taskkit_django.admin.showing import moment
from taskkit_django.kit import kit
from taskkit_django.sections import Group


class GroupAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs alone
    """Groups, by name."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return no: a group is there when a task names it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return no: a group is gone when it has no tasks."""
        return False

    def change_view(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        """Lead from the admin's log to the groups."""
        return HttpResponseRedirect("../../")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show groups, or pause and resume some."""
        if not may(request, "view", Group):
            raise PermissionDenied
        if request.method == "POST":
            _steer(request)
            return HttpResponseRedirect(request.get_full_path())
        names = group_names(request.GET.get("after", ""))
        control = kit().backend.control()
        shown = names[:GROUPS]
        # What is paused but holds no task is not forgotten.
        idle = sorted({*control.pauses, *control.limits} - set(names) - {ALL_GROUPS})
        rows = count_groups([*shown, *(idle if "after" not in request.GET else ())][: 2 * GROUPS])
        context = {
            **self.admin_site.each_context(request),
            "title": "Task groups",
            "opts": self.opts,
            "media": self.media,
            "states": list(STATES.values()),
            "rows": [_row(row, control) for row in rows],
            "next": shown[-1] if len(names) > GROUPS else None,
            "first": "after" in request.GET,
            "all_paused": ALL_GROUPS in control.pauses,
            "all_groups": ALL_GROUPS,
            "may_change": may(request, "change", Group),
        }
        return TemplateResponse(request, "admin/taskkit/groups.html", context)


def _row(row: Any, control: Any) -> dict[str, Any]:
    until = control.pauses.get(row.name)
    limits = control.limits.get(row.name)
    said = []
    if limits is not None:
        if limits.max_running is not None:
            said.append(f"{limits.max_running} at a time")
        if limits.rate is not None:
            said.append(f"{limits.rate.limit} in {limits.rate.period:g} s")
        if limits.max_queue_size is not None:
            said.append(f"at most {limits.max_queue_size} queued")
    return {
        "name": row.name,
        "counts": [(state, _capped(row.counts.get(state, 0))) for state in STATES.values()],
        "oldest": moment(None if row.oldest_due is None else to_datetime(row.oldest_due)),
        "paused": row.name in control.pauses,
        "until": None if until is None else moment(to_datetime(until)),
        "limits": ", ".join(said),
    }


def _capped(number: int) -> str:
    return f"{MOST:,}+" if number > MOST else f"{number:,}" if number else ""


def _steer(request: HttpRequest) -> None:
    if not may(request, "change", Group):
        raise PermissionDenied
    what, _, name = request.POST.get("_steer", "").partition(" ")
    groups = None if name == ALL_GROUPS else [name]
    called = "All groups" if groups is None else name
    try:
        if what == "pause":
            delay = read_delay(request.POST.get("until", ""))
            until = None if delay is None else After(int(delay.total_seconds() * SECOND))
            kit().backend.pause(groups, until)
            told = f"paused{'' if delay is None else ' for ' + request.POST['until']}"
        elif what == "resume":
            kit().backend.resume(groups)
            told = "resumed"
        else:
            return
    except TaskkitError as error:
        messages.error(request, str(error))
        return
    log(request, [Group(name=called)], CHANGE, f"{told.capitalize()}.")
    messages.success(request, f"{called}: {told}. Workers learn of it within one heartbeat.")


def register(site: admin.AdminSite) -> None:
    """Have a site show groups."""
    site.register(Group, GroupAdmin)
