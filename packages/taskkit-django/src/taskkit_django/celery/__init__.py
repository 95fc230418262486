"""Tasks with Celery's names, as django-taskq has them: ``from taskkit_django.celery import …``.

Arguments of ``delay`` are JSON with datetimes, dates, times, timedeltas, Decimals, UUIDs, tuples,
sets and bytes kept as they are, never a pickle. Tasks join the open transaction.
"""

from __future__ import annotations

from taskkit_django.celery.decorator import shared_task
from taskkit_django.celery.result import AsyncResult, EagerResult
from taskkit_django.celery.retrying import MaxRetriesExceededError, Retry
from taskkit_django.celery.shared import SharedTask
from taskkit_django.celery.signature import Signature

__all__ = [
    "AsyncResult",
    "EagerResult",
    "MaxRetriesExceededError",
    "Retry",
    "SharedTask",
    "Signature",
    "shared_task",
]
