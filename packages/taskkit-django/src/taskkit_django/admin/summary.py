"""The summary: how many tasks of each name are in which state."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from taskkit_django.admin.counting import SAMPLE, STATES, count_names
from taskkit_django.admin.operating import may
from taskkit_django.admin.showing import bare_name
from taskkit_django.sections import TaskSummary

SHOWN: Final = tuple(state for state in STATES.values() if state != "finished")


class SummaryAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs alone
    """Counts by name."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return no: it is only looked at."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return no: it is only looked at."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return no: it is only looked at."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this person may see tasks."""
        return may(request, "view")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the index shows it."""
        return may(request, "view")

    def change_view(self, request: HttpRequest, *_args: Any, **_kwargs: Any) -> HttpResponse:
        """Lead back to the summary."""
        return HttpResponseRedirect("../../")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the summary."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        names, more = count_names()
        rows = [
            {
                "name": bare_name(row.name),
                "cells": [
                    (state, row.counts.get(state), self._url(state, row.name)) for state in SHOWN
                ],
            }
            for row in names
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": "Summary by task",
            "opts": self.opts,
            "media": self.media,
            "states": [(state, state in more) for state in SHOWN],
            "rows": rows,
            "sample": SAMPLE,
            "is_sample": bool(more),
        }
        return TemplateResponse(request, "admin/taskkit/summary.html", context)

    def _url(self, state: str, name: str) -> str:
        place = f"admin:taskkit_{state}task_changelist"
        url = reverse(place, current_app=self.admin_site.name)
        return f"{url}?{urlencode({'q': f'name:{name}'})}"


def register(site: admin.AdminSite) -> None:
    """Have a site show the summary."""
    site.register(TaskSummary, SummaryAdmin)
