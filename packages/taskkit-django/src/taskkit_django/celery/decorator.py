"""``@shared_task``: what it may be given, and what becomes of that."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final, ParamSpec, Protocol, TypeVar, overload

from taskkit.errors import InvalidTask
from taskkit.registry.options import Duration, Isolation, KeyBy
from taskkit.task import (
    DEFAULT_MAX_HISTORY,
    DEFAULT_MAX_LOST,
    DEFAULT_TTL,
    Label,
    OnLost,
    UniqueScope,
)
from taskkit_django.celery.retrying import (
    DEFAULT_BACKOFF_MAX,
    DEFAULT_DELAY,
    DEFAULT_MAX_RETRIES,
    Delay,
    Errors,
    RetryRule,
)
from taskkit_django.celery.shared import Declared, SharedTask, backoff_base

P = ParamSpec("P")
R = TypeVar("R")

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_RETRY_KWARGS: Final = ("max_retries", "countdown")


class Decorator(Protocol):
    """What ``shared_task(...)`` with options returns: makes a task of a function."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> SharedTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> SharedTask[P, R]: ...


@overload
def shared_task(function: Callable[P, Coroutine[Any, Any, R]], /) -> SharedTask[P, R]: ...
@overload
def shared_task(function: Callable[P, R], /) -> SharedTask[P, R]: ...
@overload
def shared_task(
    function: None = None,
    /,
    *,
    name: str | None = None,
    queue: str | None = None,
    autoretry_for: Errors = (),
    dont_autoretry_for: Errors = (),
    retry_kwargs: Mapping[str, Any] = _NONE,
    retry_backoff: bool | float = False,
    retry_backoff_max: float = DEFAULT_BACKOFF_MAX,
    retry_jitter: bool = True,
    default_retry_delay: float | None = DEFAULT_DELAY,
    max_retries: int | None = DEFAULT_MAX_RETRIES,
    ignore_result: bool = False,
    acks_late: bool = False,
    time_limit: Duration | None = None,
    priority: int = 0,
    unique: KeyBy = False,
    unique_scope: UniqueScope = "queued",
    lock: KeyBy = False,
    limit: int | None = None,
    expires: Duration | None = None,
    ttl: Duration = DEFAULT_TTL,
    on_lost: OnLost | None = None,
    max_lost: int = DEFAULT_MAX_LOST,
    max_history: int = DEFAULT_MAX_HISTORY,
    labels: Mapping[str, Label] = _NONE,
    isolation: Isolation = "thread",
) -> Decorator: ...
@overload
def shared_task(function: None = None, /, *, bind: bool, **options: Any) -> Any: ...
def shared_task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a task of a function, which can still be called as before.

    Args:
        function: At module level; sync or ``async def``.
        options: ``name`` (its import path), ``queue`` (``"default"``), ``bind``: the task is the
            first argument, ``ignore_result``.

            When it runs again: ``autoretry_for`` these exceptions but ``dont_autoretry_for`` those,
            with ``retry_kwargs`` (``max_retries``, 3, and ``countdown``), ``retry_backoff`` (the
            n-th retry, from 0, waits this to the power of n; True is 2), ``retry_backoff_max``
            (600), ``retry_jitter`` (True), ``default_retry_delay`` (180 seconds). ``max_retries``
            is for ``retry()``.

            ``acks_late``: run it again if its worker died; without it the task is then ``lost``,
            for a person to decide. Of taskkit itself: ``priority``, ``time_limit``, ``unique``,
            ``unique_scope``, ``lock``, ``limit``, ``expires``, ``ttl``, ``on_lost``, ``max_lost``,
            ``max_history``, ``labels``, ``isolation``.

    Raises:
        InvalidTask: an option is unknown, or outside its limits.
    """
    if function is not None:
        return _shared(function, options)
    return lambda function: _shared(function, options)


_DEFAULTS: Final[Mapping[str, Any]] = {
    "autoretry_for": (),
    "dont_autoretry_for": (),
    "retry_kwargs": _NONE,
    "retry_backoff": False,
    "retry_backoff_max": DEFAULT_BACKOFF_MAX,
    "retry_jitter": True,
    "default_retry_delay": DEFAULT_DELAY,
    "max_retries": DEFAULT_MAX_RETRIES,
    "bind": False,
    "ignore_result": False,
    "acks_late": False,
    "name": None,
    "queue": None,
    "on_lost": None,
    "time_limit": None,
}
_CORE: Final = (
    "priority",
    "unique",
    "unique_scope",
    "lock",
    "limit",
    "expires",
    "ttl",
    "max_lost",
    "max_history",
    "labels",
    "isolation",
)


def _shared(function: Callable[..., Any], given: Mapping[str, Any]) -> SharedTask[..., Any]:
    for option in given:
        if option not in _DEFAULTS and option not in _CORE:
            raise InvalidTask(
                f"shared_task: expected some of {', '.join((*_DEFAULTS, *_CORE))}, found {option!r}"
            )
    if not hasattr(function, "__qualname__"):
        raise InvalidTask(f"shared_task: expected a function, found {function!r}")
    said = {**_DEFAULTS, **given}
    name = said["name"] or f"{function.__module__}.{function.__qualname__}"
    return SharedTask(function, name, _declared(said))


def _declared(said: Mapping[str, Any]) -> Declared:
    usual = DEFAULT_DELAY if said["default_retry_delay"] is None else said["default_retry_delay"]
    lost = said["on_lost"] or ("retry" if said["acks_late"] else "keep")
    core = {option: said[option] for option in _CORE if option in said}
    return Declared(
        rule=_rule(said, usual),
        options={
            **core,
            "group": said["queue"] or "default",
            "timeout": said["time_limit"],
            "on_lost": lost,
        },
        bind=said["bind"],
        ignore_result=said["ignore_result"],
        max_retries=said["max_retries"],
        default_retry_delay=usual,
    )


def _rule(said: Mapping[str, Any], usual: float) -> RetryRule:
    retrying = said["retry_kwargs"]
    for key in retrying:
        if key not in _RETRY_KWARGS:
            raise InvalidTask(
                f"retry_kwargs: expected some of {', '.join(_RETRY_KWARGS)}, found {key!r}"
            )
    countdown = retrying.get("countdown")
    delay = Delay(
        usual if countdown is None else countdown,
        backoff_base(said["retry_backoff"]),
        said["retry_backoff_max"],
        said["retry_jitter"],
    )
    most = retrying.get("max_retries", DEFAULT_MAX_RETRIES)
    return RetryRule(
        delay, _errors(said["autoretry_for"]), _errors(said["dont_autoretry_for"]), most
    )


def _errors(errors: Any) -> Errors:
    return errors if isinstance(errors, type) else tuple(errors)
