"""What people do to tasks: through the kit, permitted, told, and written into the admin's log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from taskkit.clock import SECOND
from taskkit.errors import InvalidInput, TaskkitError
from taskkit.records import Answered
from taskkit.task import NOW, After
from taskkit_django.admin.delays import read_delay
from taskkit_django.admin.places import alias
from taskkit_django.kit import kit
from taskkit_django.models import Task

Answers = dict[str, Answered]


def retry(ids: Collection[str], delay: timedelta | None) -> Answers:
    """Put failed, lost and cancelled tasks back in the queue; of waiting ones change the time."""
    due = NOW if delay is None else After(int(delay.total_seconds() * SECOND))
    answers = kit().backend.requeue(ids, due)
    refused = [each for each, answer in answers.items() if answer is Answered.REFUSED]
    if refused:
        answers |= kit().backend.reschedule(refused, due)
    return answers


def cancel(ids: Collection[str], _delay: timedelta | None) -> Answers:
    """Cancel tasks; of running ones ask their workers."""
    return kit().backend.cancel(ids)


def delete(ids: Collection[str], _delay: timedelta | None) -> Answers:
    """Remove tasks without trace."""
    return kit().backend.delete(ids)


OPERATIONS: Final[dict[str, tuple[str, Callable[..., Answers], str]]] = {
    "retry": ("change", retry, "Put back in the queue"),
    "cancel": ("change", cancel, "Cancelled"),
    "delete": ("delete", delete, "Deleted"),
}
"""The permission that each needs, what it does, and how the log calls that."""

_TOLD: Final = {
    ("retry", Answered.DONE): "{} will run again{}.",
    ("retry", Answered.REFUSED): "{} cannot be run again: running, finished well, or another task "
    "holds its unique key.",
    ("cancel", Answered.DONE): "{} cancelled.",
    ("cancel", Answered.REQUESTED): "{} asked to end; its worker does so within seconds.",
    ("cancel", Answered.REFUSED): "{} had finished already.",
    ("delete", Answered.DONE): "{} deleted.",
}


def operate(
    request: HttpRequest, what: str, ids: Sequence[str], delay: str = ""
) -> Counter[Answered]:
    """Do something to tasks, tell the person what came of it, and log what was done.

    Raises:
        PermissionDenied: this person may not.
    """
    permission, operation, logged = OPERATIONS[what]
    if not may(request, permission):
        raise PermissionDenied
    wait = ""
    try:
        until = read_delay(delay) if what == "retry" else None
        wait = f" in {delay}" if until else ""
        named = {task.pk: task for task in _named(ids)}
        answers = operation(ids, until)
    except InvalidInput as error:
        messages.error(request, str(error))
        return Counter()
    except TaskkitError as error:
        messages.error(request, f"The store could not do that: {error}")
        return Counter()
    done = [each for each, how in answers.items() if how in (Answered.DONE, Answered.REQUESTED)]
    flag = DELETION if what == "delete" else CHANGE
    log(request, [named[each] for each in done if each in named], flag, f"{logged}{wait}.")
    counted = Counter(answers.values())
    for answer, number in counted.items():
        text = _TOLD.get((what, answer), "{} unknown: finished and gone, or deleted.")
        level = (
            messages.SUCCESS if answer in (Answered.DONE, Answered.REQUESTED) else messages.WARNING
        )
        messages.add_message(
            request, level, text.format(f"{number} task{'s' * (number != 1)}", wait)
        )
    return counted


def may(request: HttpRequest, permission: str, model: type[Any] = Task) -> bool:
    """Return whether this person may ``view``, ``change`` or ``delete`` such things."""
    meta = model._meta
    names = [get_permission_codename(permission, meta)]
    if permission == "view":
        names.append(get_permission_codename("change", meta))
    return any(request.user.has_perm(f"{meta.app_label}.{name}") for name in names)  # type: ignore[union-attr]  # the site's users


def log(request: HttpRequest, objects: Sequence[Any], flag: int, message: str) -> None:
    """Write into the admin's log; one statement, however many objects."""
    if objects and request.user.pk is not None:
        LogEntry.objects.log_actions(request.user.pk, objects, flag, change_message=message)


def _named(ids: Sequence[str]) -> list[Task]:
    return list(Task.objects.using(alias()).filter(pk__in=ids).only("id", "name"))
