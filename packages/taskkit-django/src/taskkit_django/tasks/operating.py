"""What can be done to one of Django's tasks after it was put, for which Django has no word."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from taskkit_django.kit import kit

if TYPE_CHECKING:
    from taskkit.records import Answered


def cancel(result: Any) -> Answered:
    """Cancel a task: at once and for ever while nobody has begun it, through its worker if it runs.

    Its result is then ``FAILED``, with the error ``taskkit.errors.TaskCancelled``.

    Args:
        result: A ``TaskResult``, or its id.
    """
    return kit().cancel(_id(result))


def reschedule(result: Any, run_after: datetime | timedelta) -> Answered:
    """Change when a task may run that nobody has begun.

    Args:
        result: A ``TaskResult``, or its id.
        run_after: A moment, or a time from now.
    """
    return kit().reschedule(_id(result), run_after)


def _id(result: Any) -> str:
    return result if isinstance(result, str) else str(result.id)
