"""What a function task declares about itself, with the decorator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, TypeAlias

from taskkit.clock import micros
from taskkit.errors import InvalidTask
from taskkit.ids import new_id
from taskkit.limits import check_duration, check_name, check_tasks, labels_of
from taskkit.registry.retry import RetryRule, takes_exception
from taskkit.task import (
    DEFAULT_MAX_HISTORY,
    DEFAULT_MAX_LOST,
    DEFAULT_TTL,
    After,
    Label,
    NewTask,
    OnLost,
    UniqueScope,
)

Duration: TypeAlias = timedelta | float
"""A timedelta, or seconds."""

KeyBy: TypeAlias = bool | str | tuple[str, ...] | Callable[..., str | None]
"""What a key is made of: all arguments (True), named ones, or what a function of them returns."""

ErrorTypes: TypeAlias = type[Exception] | tuple[type[Exception], ...]

Isolation: TypeAlias = Literal["thread", "process"]

DEFAULT_GROUP = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """The options of one function task, checked when they are made.

    Raises:
        InvalidTask: an option is outside its limits, or contradicts another.
    """

    name: str
    aliases: tuple[str, ...] = ()
    """Earlier names, under which tasks may still be stored."""
    group: str = DEFAULT_GROUP
    retry: RetryRule | None = None
    """Without a rule nothing is retried: only its author knows whether a task may run twice."""
    retry_on: ErrorTypes = (Exception,)
    """Exceptions to which the rule applies …"""
    never_retry_on: ErrorTypes = ()
    """… and those among them to which it does not."""
    timeout: Duration | None = None
    unique: KeyBy = False
    unique_scope: UniqueScope = "queued"
    lock: KeyBy = False
    limit: int | None = None
    """Running tasks per lock key, 1 unless said; without ``lock``, of the whole function."""
    priority: int = 0
    isolation: Isolation = "thread"
    ttl: Duration = DEFAULT_TTL
    expires: Duration | None = None
    on_lost: OnLost = "retry"
    max_lost: int = DEFAULT_MAX_LOST
    max_history: int = DEFAULT_MAX_HISTORY
    labels: Mapping[str, Label] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.aliases, tuple | list):
            raise InvalidTask(
                f"aliases: expected a tuple of names, such as ('old.name',), found {self.aliases!r}"
            )
        for name in (self.name, *self.aliases):
            check_name(name)
        if self.isolation not in ("thread", "process"):
            raise InvalidTask(
                f"isolation: expected 'thread' or 'process', found {self.isolation!r}"
            )
        check_errors("retry_on", self.retry_on)
        check_errors("never_retry_on", self.never_retry_on)
        if self.retry is not None:
            takes_exception(self.retry)
        elif self.retry_on != (Exception,) or self.never_retry_on != ():
            raise InvalidTask(
                "retry_on and never_retry_on select what the retry rule applies to, and there is "
                "no rule: add one, such as retry=exponential(1)"
            )
        check_tasks([NewTask(id=new_id(self.group), data=b"", **self.fields())])

    def fields(self) -> dict[str, Any]:
        """Return what these options say about every ``NewTask`` of the function."""
        fields: dict[str, Any] = {
            "group": self.group,
            "name": self.name,
            "priority": self.priority,
            "timeout": None if self.timeout is None else to_seconds("timeout", self.timeout),
            "ttl": to_seconds("ttl", self.ttl),
            "expires": None,
            "unique_scope": self.unique_scope,
            "lock_limit": 1 if self.limit is None else self.limit,
            "on_lost": self.on_lost,
            "max_lost": self.max_lost,
            "max_history": self.max_history,
            "labels": labels_of(self.labels),
        }
        if self.expires is not None:
            fields["expires"] = After(micros(to_seconds("expires", self.expires)))
        if self.limit is not None and not self.lock:
            fields["lock_key"] = self.name
        return fields


def to_seconds(what: str, duration: Duration) -> float:
    """Return a duration as seconds, refusing what is not one."""
    value = duration.total_seconds() if isinstance(duration, timedelta) else duration
    check_duration(what, value)
    return value


def check_errors(what: str, errors: object) -> None:
    """Refuse what ``isinstance`` would not take, and errors that no retry rule ever sees."""
    for error in errors if isinstance(errors, tuple) else (errors,):
        if not isinstance(error, type) or not issubclass(error, Exception):
            raise InvalidTask(
                f"{what}: expected exception classes, such as (ConnectionError, TimeoutError), "
                f"found {error!r}"
            )
