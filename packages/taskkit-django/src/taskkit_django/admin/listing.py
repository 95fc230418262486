"""Django's list of a model, with pages by key in the place of counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from taskkit.errors import TaskNotFound
from taskkit_django.admin import places
from taskkit_django.admin.paging import MAX_GROUPS, Found, Wanted, page
from taskkit_django.admin.searching import Search, parse

if TYPE_CHECKING:
    from taskkit_django.admin.tasks import TaskAdmin
    from taskkit_django.models import Task

AFTER: Final = "after"
"""The parameter that says where a page begins."""


class TaskList(ChangeList):
    """A page of tasks."""

    found: Found
    next_url: str | None = None
    first_url: str | None = None
    note: str = ""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.after = request.GET.get(AFTER)
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        """Return the parameters that filter: where the page begins does not."""
        found: dict[str, Any] = super().get_filters_params(params)
        found.pop(AFTER, None)
        return found

    def get_query_string(self, new_params: Any = None, remove: Any = None) -> str:
        """Return the address of this list with other parameters, from its beginning."""
        return super().get_query_string(
            {AFTER: None, **(new_params or {})},
            remove,
        )

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return the rows that filters leave; what is searched for is found with the page."""
        wanted, self.query = self.query, ""
        try:
            return super().get_queryset(request, exclude_parameters)
        finally:
            self.query = wanted

    def get_results(self, request: HttpRequest) -> None:
        """Look up the page."""
        try:
            found = page(self._wanted(parse(self.query)), self.list_per_page, self.after)
        except ValueError as error:
            raise IncorrectLookupParameters from error
        self.result_list = found.rows
        self.result_count = len(found.rows)
        self.full_result_count = self.result_count  # so that no number is shown
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = False
        self.paginator = Paginator(found.rows, self.list_per_page)
        self.windowed = found.windowed
        if found.next is not None:
            self.next_url = self.get_query_string({AFTER: found.next})
        if self.after is not None:
            self.first_url = self.get_query_string()

    def _wanted(self, search: Search) -> Wanted:
        model = cast("type[Task]", self.model)
        lighten = cast("TaskAdmin", self.model_admin).lighten
        place = places.PLACES[model]
        rows, scanned = self.queryset.order_by(), {}
        if search.suffix is not None or search.id is not None:
            rows = rows.filter(pk=search.id or _id_of(search.suffix or ""))
        if search.group is not None:
            if place.grouped:
                rows = rows.filter(group=search.group)
            else:
                scanned["group"] = search.group
        if search.name is not None:
            scanned["name"] = search.name
        is_one = search.suffix is not None or search.id is not None
        return Wanted(
            rows,
            lighten(places.whole(model)),
            places.order(model),
            scanned,
            search.text,
            self._groups(search) if place.merged and not is_one else None,
        )

    def _groups(self, search: Search) -> list[str]:
        if search.group is not None:
            return [search.group]
        groups = places.finished_groups(MAX_GROUPS)
        if len(groups) > MAX_GROUPS:
            self.note = (
                f"These are of the first {MAX_GROUPS} groups. For the others, search for "
                "group:name, or choose one among the groups."
            )
        return groups[:MAX_GROUPS]


def _id_of(suffix: str) -> str:
    from taskkit_django.celery import AsyncResult

    try:
        return AsyncResult(suffix).task_id
    except TaskNotFound:
        return suffix
