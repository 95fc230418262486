"""Lists of tasks, one for each part, and the page of one task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME, ActionForm
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models.functions import Length, Substr
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from taskkit_django.admin import places, searching
from taskkit_django.admin.columns import SHORT, Columns
from taskkit_django.admin.detail import detail
from taskkit_django.admin.listing import TaskList
from taskkit_django.admin.operating import OPERATIONS, may, operate
from taskkit_django.admin.showing import bare_name
from taskkit_django.fields import BytesColumn
from taskkit_django.models import Task

if TYPE_CHECKING:
    from django.db.models import QuerySet

_HEAVY: Final = ("data", "history", "labels", "options", "progress", "result")


class DelayForm(ActionForm):
    """The actions above a list, and how long to wait for a retry."""

    delay = forms.CharField(
        required=False,
        label="in",
        max_length=20,
        widget=forms.TextInput(attrs={"placeholder": "10m, 1h 30m, 2d", "size": 12}),
    )


class TaskAdmin(Columns, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs alone
    """A part of the tasks. Nothing is written but through the kit."""

    actions: Any = ("retry_now", "retry_later", "cancel_tasks", "delete_selected")
    action_form = DelayForm
    change_form_template = "admin/taskkit/task.html"
    change_list_template = "admin/taskkit/tasks.html"
    list_display: Any = ("task", "shown_state", "group", "arguments", "created_", "due_")
    list_display_links = None
    list_per_page = 50
    search_fields = ("id",)
    search_help_text = searching.HELP
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    class Media:
        """Styles of these pages."""

        css: Final = {"all": ("taskkit/admin.css",)}

    # ---- permissions: those of Task, for every part

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return no: tasks are put by programs."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this person may see tasks."""
        return may(request, "view")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this person may retry and cancel."""
        return may(request, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether this person may delete tasks."""
        return may(request, "delete")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Return whether the index shows this part."""
        return may(request, "view")

    # ---- lists

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows of this part."""
        return places.part(self.lighten(places.whole(self.model)))

    def lighten(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return rows of which what may be large is read as far as a list shows it."""
        head = Substr("data", 1, SHORT, output_field=BytesColumn())
        return rows.defer(*_HEAVY).annotate(head=head, size=Length("data"))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Return the order of the index that serves this part."""
        return places.order(self.model)

    def get_list_display(self, request: HttpRequest) -> Any:
        """Return the columns; the buttons are for those who may use them."""
        may_change = self.has_change_permission(request)
        return [column for column in self.list_display if column != "do" or may_change]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[TaskList]:
        """Return a list that counts nothing."""
        return TaskList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show a list, or do what a button of a row asks for."""
        what, _, task_id = request.POST.get("_operate", "").partition(" ")
        if request.method == "POST" and what in OPERATIONS:
            operate(request, what, [task_id])
            return HttpResponseRedirect(request.get_full_path())
        extra = {**(extra_context or {}), "title": self.opts.verbose_name_plural}
        return super().changelist_view(request, extra)

    # ---- one task

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        """Show a task, or do what a button asks for."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        task_id = unquote(object_id)
        if request.method == "POST":
            what = request.POST.get("_operate", "")
            if what in OPERATIONS:
                operate(request, what, [task_id], request.POST.get("delay", ""))
            return HttpResponseRedirect(self._list() if what == "delete" else request.path)
        shown = detail(task_id)
        if shown is None:
            gone: Any = self
            away = gone._get_obj_does_not_exist_redirect(request, self.opts, task_id)
            return cast("HttpResponse", away)
        context = {
            **self.admin_site.each_context(request),
            "title": bare_name(shown.record.task.name),
            "subtitle": task_id,
            "opts": self.opts,
            "original": task_id,
            "object_id": task_id,
            "shown": shown,
            "media": self.media,
            "may_change": may(request, "change"),
            "may_delete": may(request, "delete"),
        }
        return TemplateResponse(request, "admin/taskkit/task.html", context)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Lead to the task's page, which deletes by the kit: Django's own would go around it."""
        return HttpResponseRedirect("../change/")

    def _list(self) -> str:
        place = "admin:taskkit_failedtask_changelist"
        return reverse(place, current_app=self.admin_site.name)

    # ---- actions

    @admin.action(description="Run again now", permissions=["change"])
    def retry_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Put the chosen tasks back in the queue."""
        operate(request, "retry", _chosen(request))

    @admin.action(description="Run again in …", permissions=["change"])
    def retry_later(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Put the chosen tasks back in the queue, due after a delay."""
        operate(request, "retry", _chosen(request), request.POST.get("delay", "") or "10m")

    @admin.action(description="Cancel", permissions=["change"])
    def cancel_tasks(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Cancel the chosen tasks."""
        operate(request, "cancel", _chosen(request))

    @admin.action(description="Delete", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Delete the chosen tasks. Named so that Django's own, which knows no kit, gives way."""
        operate(request, "delete", _chosen(request))


def _chosen(request: HttpRequest) -> list[str]:
    # Not the queryset's rows: what has left this part meanwhile is to be told, not passed over.
    return request.POST.getlist(ACTION_CHECKBOX_NAME)


_ENDED: Final = ("task", "group", "error", "arguments", "attempt", "done_", "do")


class FailedAdmin(TaskAdmin):
    """Failed, lost and cancelled tasks, the latest first."""

    list_display = _ENDED
    buttons = ("retry",)
    actions = ("retry_now", "retry_later", "delete_selected")


class RunningAdmin(TaskAdmin):
    """Running tasks, the longest first."""

    list_display = ("task", "group", "arguments", "attempt", "began_", "worker_id", "do")
    buttons: Any = ("cancel",)
    actions = ("cancel_tasks", "delete_selected")


class QueuedAdmin(TaskAdmin):
    """Queued tasks, by group, in the order in which they are taken."""

    list_display: Any = ("task", "group", "priority", "arguments", "due_", "retry_count", "do")
    buttons: Any = ("cancel",)
    actions: Any = ("retry_later", "cancel_tasks", "delete_selected")


class BlockedAdmin(QueuedAdmin):
    """Blocked tasks, by group and lock."""

    list_display = ("task", "group", "lock_key", "priority", "arguments", "due_", "do")


class WaitingAdmin(QueuedAdmin):
    """Waiting tasks, the first due first."""

    list_display = ("due_", "task", "group", "priority", "arguments", "retry_count", "do")
    actions = ("retry_now", "retry_later", "cancel_tasks", "delete_selected")
    buttons = ("retry", "cancel")


class FinishedAdmin(TaskAdmin):
    """Finished tasks, those first that are kept longest."""

    list_display = ("task", "group", "arguments", "attempt", "took", "done_")
    actions = ("delete_selected",)
    buttons = ()


class AllAdmin(TaskAdmin):
    """All tasks: for finding one by its id."""

    list_display = ("task", "shown_state", "group", "arguments", "created_")


def register(site: admin.AdminSite) -> None:
    """Have a site show tasks."""
    from taskkit_django import sections

    site.register([sections.FailedTask, sections.LostTask, sections.CancelledTask], FailedAdmin)
    site.register(sections.RunningTask, RunningAdmin)
    site.register(sections.QueuedTask, QueuedAdmin)
    site.register(sections.BlockedTask, BlockedAdmin)
    site.register(sections.WaitingTask, WaitingAdmin)
    site.register(sections.FinishedTask, FinishedAdmin)
    site.register(Task, AllAdmin)
