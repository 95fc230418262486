"""Retry rules: in how many seconds a task that raised runs again, or None to let it fail.

A rule is any callable of the retry count (0 after the first attempt), or of the retry count and
the exception. ``fixed``, ``linear`` and ``exponential`` make the usual ones.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from taskkit.errors import InvalidTask
from taskkit.limits import check_duration, check_int

RetryRule: TypeAlias = Callable[[int], float | None] | Callable[[int, Exception], float | None]
"""From the retry count (and the exception) to seconds, or None to let the task fail."""

Jitter: TypeAlias = Literal["full", "equal"]
"""How a delay is spread: over all of it from 0, or over its second half."""

DEFAULT_MAX_RETRIES: Final = 5
DEFAULT_MAX_DELAY: Final = 86_400.0
"""Seconds: a growing delay stops growing at a day."""
_MOST_RETRIES: Final = 1 << 31


@dataclass(frozen=True, slots=True)
class Backoff:
    """A retry rule: ``(first + increment * n) * factor**n`` seconds, with n the retry count.

    Equal rules compare equal; it can be called from several threads.
    """

    first: float
    """Seconds before the first retry."""
    increment: float = 0.0
    """Seconds by which each delay is longer than the one before."""
    factor: float = 1.0
    """How many times as long as the one before each delay is."""
    max_retries: int | None = DEFAULT_MAX_RETRIES
    """Retries after which the task fails; None is no end."""
    max_delay: float = DEFAULT_MAX_DELAY
    """Seconds that no delay exceeds."""
    jitter: Jitter | None = None
    random: Callable[[], float] = field(default=random.random, compare=False, repr=False)
    """Returns a number from 0 to 1: the source of the jitter."""

    def __post_init__(self) -> None:
        check_duration("retry delay", self.first)
        check_duration("retry increment", self.increment)
        check_duration("max_delay", self.max_delay)
        if self.max_retries is not None:
            check_int("max_retries", self.max_retries, 0, _MOST_RETRIES)
        check_duration("retry factor", self.factor)
        if self.factor < 1:
            raise InvalidTask(f"retry factor: expected a number from 1, found {self.factor!r}")
        if self.jitter not in (None, "full", "equal"):
            raise InvalidTask(f"jitter: expected 'full', 'equal' or None, found {self.jitter!r}")

    def __call__(self, retry_count: int) -> float | None:
        """Return the seconds before the retry that follows ``retry_count`` others, or None."""
        if self.max_retries is not None and retry_count >= self.max_retries:
            return None
        delay = min(self._delay(retry_count), self.max_delay)
        if self.jitter is None:
            return delay
        # "Full Jitter" and "Equal Jitter" of M. Brooker, "Exponential Backoff And Jitter"
        # (AWS Architecture Blog, 2015): of all the spreads tried there, full jitter let the
        # competing clients finish with the fewest calls.
        if self.jitter == "full":
            return delay * self.random()
        return delay / 2 + delay / 2 * self.random()

    def _delay(self, retry_count: int) -> float:
        base = self.first + self.increment * retry_count
        try:
            return base * float(self.factor) ** retry_count if base else 0.0
        except OverflowError:
            return self.max_delay


def fixed(
    delay: float,
    max_retries: int | None = DEFAULT_MAX_RETRIES,
    *,
    jitter: Jitter | None = None,
) -> Backoff:
    """Return a rule that waits ``delay`` seconds before each of ``max_retries`` retries.

    Args:
        delay: Seconds, from 0.
        max_retries: None is no end.
        jitter: ``"full"`` waits a random part of the delay, ``"equal"`` at least half of it, so
            that tasks that failed together do not come back together.

    Raises:
        InvalidTask: a number is negative, NaN or infinite.
    """
    return Backoff(delay, max_retries=max_retries, max_delay=delay, jitter=jitter)


def linear(
    delay: float,
    increment: float,
    max_retries: int | None = DEFAULT_MAX_RETRIES,
    *,
    max_delay: float = DEFAULT_MAX_DELAY,
    jitter: Jitter | None = None,
) -> Backoff:
    """Return a rule that waits ``delay`` seconds, then ``increment`` longer each time.

    The other arguments and errors are those of ``exponential``.
    """
    return Backoff(
        delay, increment=increment, max_retries=max_retries, max_delay=max_delay, jitter=jitter
    )


def exponential(
    first: float,
    factor: float = 2,
    max_retries: int | None = DEFAULT_MAX_RETRIES,
    *,
    max_delay: float = DEFAULT_MAX_DELAY,
    jitter: Jitter | None = None,
) -> Backoff:
    """Return a rule that waits ``first`` seconds, then ``factor`` times as long each time.

    Args:
        first: Seconds before the first retry, from 0.
        factor: From 1.
        max_retries: Retries after which the task fails; None is no end.
        max_delay: Seconds that no delay exceeds, jitter included.
        jitter: ``"full"`` waits a random part of the delay, ``"equal"`` at least half of it, so
            that tasks that failed together do not come back together.

    Raises:
        InvalidTask: a number is negative, NaN or infinite.
    """
    return Backoff(
        first, factor=factor, max_retries=max_retries, max_delay=max_delay, jitter=jitter
    )


def takes_exception(rule: RetryRule) -> bool:
    """Return whether a rule needs the exception beside the retry count.

    Raises:
        InvalidTask: it is not a callable of one or two arguments.
    """
    if not callable(rule):
        raise InvalidTask(
            f"retry: expected a rule such as exponential(1), or a function of the retry count, "
            f"found {rule!r}"
        )
    try:
        signature = inspect.signature(rule)
    except (TypeError, ValueError):  # some builtins do not tell theirs
        return False
    for arguments in ((0,), (0, Exception())):
        try:
            signature.bind(*arguments)
        except TypeError:
            continue
        return len(arguments) == 2
    raise InvalidTask(
        "retry: expected a function of (retry_count) or of (retry_count, exception), "
        f"found one of {signature}"
    )


def interval(rule: RetryRule, needs_exception: bool, count: int, error: Exception) -> float | None:
    """Ask a rule, and refuse an answer that is neither None nor seconds from 0."""
    answer = rule(count, error) if needs_exception else rule(count)  # type: ignore[call-arg]  # looked at above
    if answer is not None:
        check_duration("what the retry rule returned", answer)
    return answer
