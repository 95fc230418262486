"""The columns of lists of tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from django.contrib import admin
from django.contrib.admin.utils import quote as quote_id
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from taskkit_django.admin import redaction
from taskkit_django.admin.showing import bare_name, lasting, moment

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite

SHORT: Final = 300
"""Bytes of data that a list shows; of more only how many there are."""

_BUTTONS: Final = {"retry": "Run again", "cancel": "Cancel"}


class Columns:
    """What a list can show of a task."""

    buttons: Any = ("retry", "cancel")
    """What each row offers."""
    admin_site: AdminSite
    """The site that links stay in."""

    @admin.display(description="Task")
    def task(self, row: Any) -> SafeString:
        """Return the name, leading to the task's page."""
        site = self.admin_site.name
        url = reverse("admin:taskkit_task_change", args=(quote_id(row.pk),), current_app=site)
        return format_html(
            '<a class="taskkit-name" href="{}">{}</a><br><a class="taskkit-more" href="?{}">only '
            "these</a>",
            url,
            bare_name(row.name),
            urlencode({"q": f"name:{row.name}"}),
        )

    @admin.display(description="Group")
    def group(self, row: Any) -> SafeString:
        """Return the group, leading to its tasks of this part."""
        return format_html('<a href="?q={}">{}</a>', quote(f"group:{row.group}"), row.group)

    @admin.display(description="State")
    def shown_state(self, row: Any) -> SafeString:
        """Return the state."""
        state = row.get_state_display()
        return format_html(
            '<span class="taskkit-state taskkit-{}">{}</span>', state.split()[0], state
        )

    @admin.display(description="Arguments")
    def arguments(self, row: Any) -> SafeString | str:
        """Return the arguments in one line, or how many bytes they are."""
        if row.size > SHORT - 1:
            return f"{row.size:,} bytes"
        return format_html("<code>{}</code>", redaction.one_line(row.name, bytes(row.head)))

    @admin.display(description="Put")
    def created_(self, row: Any) -> Any:
        """Return when it was put."""
        return moment(row.created)

    @admin.display(description="Due")
    def due_(self, row: Any) -> Any:
        """Return from when it may run."""
        return moment(row.due)

    @admin.display(description="Ended")
    def done_(self, row: Any) -> Any:
        """Return when it ended."""
        return moment(row.done)

    @admin.display(description="Began")
    def began_(self, row: Any) -> Any:
        """Return when its attempt began."""
        return moment(row.began)

    @admin.display(description="Took")
    def took(self, row: Any) -> str:
        """Return how long its last attempt took."""
        return lasting(row.began, row.done)

    @admin.display(description="Error")
    def error(self, row: Any) -> SafeString | str:
        """Return type and message of the failure."""
        if not isinstance(row.failure, list) or len(row.failure) != 3:
            return str(row.failure or "–")
        kind, message, _trace = row.failure
        kind = kind.rpartition(".")[2]
        return format_html("<strong>{}</strong> {}", kind, message[:200])

    @admin.display(description="")
    def do(self, row: Any) -> SafeString:
        """Return the buttons of a row."""
        return format_html(
            "".join(
                f'<button class="taskkit-button" name="_operate" value="{what} {{0}}" '
                f'type="submit">{_BUTTONS[what]}</button>'
                for what in self.buttons
            ),
            row.pk,
        )
