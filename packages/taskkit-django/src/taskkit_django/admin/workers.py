"""The list of workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from taskkit_django.admin.places import alias
from taskkit_django.admin.showing import moment
from taskkit_django.models import Task, Worker
from taskkit_relational import schema

if TYPE_CHECKING:
    from django.db.models import QuerySet


class WorkerAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs alone
    """Worker processes, alive or not yet known to be dead."""

    list_display: Any = ("id", "alive", "host", "pid", "serves", "running", "since", "version")
    list_display_links = None
    ordering = ("id",)
    show_full_result_count = False
    sortable_by = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return no: workers enter themselves."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return no: groups are paused, and processes stopped where they run."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return no: the dead are removed by those who are alive."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return workers with how many tasks each runs, in one statement."""
        running = (
            Task.objects.filter(state=schema.RUNNING, worker_id=OuterRef("pk"))
            .order_by()
            .values("worker_id")
            .annotate(tasks=Count("pk"))
            .values("tasks")
        )
        found: QuerySet[Any] = Worker.objects.using(alias()).annotate(
            tasks=Coalesce(Subquery(running, output_field=IntegerField()), 0)
        )
        return found

    @admin.display(description="Alive", boolean=True)
    def alive(self, row: Any) -> bool:
        """Return whether its lease holds."""
        now = timezone.now()
        return bool(
            row.expires > (now if timezone.is_aware(row.expires) else timezone.make_naive(now))
        )

    @admin.display(description="Host")
    def host(self, row: Any) -> str:
        """Return where it runs."""
        return str(_info(row)[1])

    @admin.display(description="Process")
    def pid(self, row: Any) -> str:
        """Return its process's id."""
        return str(_info(row)[2])

    @admin.display(description="Serves")
    def serves(self, row: Any) -> SafeString | str:
        """Return its groups and how many slots each has."""
        slots = _info(row)[0]
        if not isinstance(slots, dict):
            return "–"
        return format_html(
            ", ".join("{} × {}" for _ in slots), *(part for each in slots.items() for part in each)
        )

    @admin.display(description="Running")
    def running(self, row: Any) -> int:
        """Return how many tasks it runs."""
        return int(row.tasks)

    @admin.display(description="Since")
    def since(self, row: Any) -> Any:
        """Return when it registered."""
        return moment(row.registered)

    @admin.display(description="taskkit")
    def version(self, row: Any) -> str:
        """Return its version of taskkit."""
        return str(_info(row)[3])


def _info(row: Any) -> list[Any]:
    found = row.info if isinstance(row.info, list) else []
    return [*found, *["–"] * 4][:4]


def register(site: admin.AdminSite) -> None:
    """Have a site show workers."""
    site.register(Worker, WorkerAdmin)
