"""When a task of the Celery-style API runs again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

from django.utils import timezone

from taskkit.context import current_task, in_task
from taskkit.errors import InvalidInput, RetryTask

DEFAULT_DELAY: Final = 180.0
"""Seconds before a retry for which nothing else is said."""
DEFAULT_MAX_RETRIES: Final = 3
DEFAULT_BACKOFF_MAX: Final = 600.0

Errors = type[BaseException] | tuple[type[BaseException], ...]


class MaxRetriesExceededError(Exception):
    """A task asked for one retry more than it may have, and named no exception of its own."""


class Retry(RetryTask):
    """Raised by ``task.retry()``: run the task again.

    Attributes:
        exc: Why.
        execute_at: When; None leaves that to the delay.
        max_retries: After so many retries the task fails; None is no end.
    """

    def __init__(
        self,
        exc: BaseException | None = None,
        execute_at: datetime | None = None,
        max_retries: int | None = None,
        delay: Delay | None = None,
    ) -> None:
        super().__init__("the task asked for a retry" if exc is None else repr(exc), due=execute_at)
        self.exc = exc
        self.execute_at = execute_at
        self.max_retries = max_retries
        self.delay = delay

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.exc, self.execute_at, self.max_retries, self.delay)


@dataclass(frozen=True, slots=True)
class Delay:
    """How long to wait before a retry."""

    countdown: float = DEFAULT_DELAY
    """Seconds, where there is no back-off."""
    backoff: float = 0
    """The n-th retry, from 0, waits ``backoff**n`` seconds; 0 is none."""
    backoff_max: float = DEFAULT_BACKOFF_MAX
    """Seconds that no back-off exceeds."""
    jitter: bool = True
    """Wait a random part of the back-off."""

    def seconds(self, retries: int) -> float:
        """Return the seconds before the retry that follows ``retries`` others."""
        if not self.backoff:
            return self.countdown
        try:
            seconds = min(float(self.backoff) ** retries, self.backoff_max)
        except OverflowError:
            seconds = self.backoff_max
        return random.uniform(0, seconds) if self.jitter else seconds  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True)
class RetryRule:
    """The retry rule of a task: what it says of itself, and what its ``Retry`` says."""

    delay: Delay
    autoretry_for: Errors = ()
    dont_autoretry_for: Errors = ()
    max_retries: int | None = DEFAULT_MAX_RETRIES

    def __call__(self, retries: int, error: Exception) -> float | None:
        """Return in how many seconds the task runs again, or None to let it fail."""
        most, delay = self.max_retries, self.delay
        if isinstance(error, Retry):
            most, delay = error.max_retries, error.delay or delay
        elif isinstance(error, RetryTask):
            pass
        elif not isinstance(error, self.autoretry_for) or isinstance(
            error, self.dont_autoretry_for
        ):
            return None
        return None if most is not None and retries >= most else delay.seconds(retries)


def raise_retry(
    exc: BaseException | None, eta: datetime | None, delay: Delay, max_retries: int | None
) -> NoReturn:
    """End the attempt of the task that runs here, which is to run again.

    Raises:
        Retry: it may.
        MaxRetriesExceededError: it may not; ``exc`` instead, where that is given.
    """
    retries = current_task().retry_count if in_task() else 0
    if max_retries is not None and retries >= max_retries:
        raise exc or MaxRetriesExceededError(f"it was retried {retries} times")
    raise Retry(exc, None if eta is None else aware(eta), max_retries, delay) from exc


def aware(moment: datetime) -> datetime:
    """Return a moment with its zone; a naive one is in the project's time zone.

    Raises:
        InvalidInput: it is none.
    """
    if not isinstance(moment, datetime):
        raise InvalidInput(f"eta: expected a datetime, found {moment!r:.100}")
    if timezone.is_aware(moment):
        return moment
    return timezone.make_aware(moment, timezone.get_default_timezone())
