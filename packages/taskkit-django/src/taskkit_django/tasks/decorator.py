"""``@task``: Django's decorator, with what Django has no word for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, overload

from taskkit.errors import InvalidTask
from taskkit.registry import RetryRule, TaskOptions
from taskkit.registry.options import Duration, ErrorTypes, Isolation, KeyBy
from taskkit.task import (
    DEFAULT_MAX_HISTORY,
    DEFAULT_MAX_LOST,
    DEFAULT_TTL,
    Label,
    OnLost,
    UniqueScope,
)
from taskkit_django.tasks.handler import PREFIX, callee

if TYPE_CHECKING:
    from taskkit_django.tasks.native import TaskkitTask
    from taskkit_django.tasks.surface import Surface


class Decorator(Protocol):
    """What ``task(...)`` with options returns: makes a task of a function."""

    def __call__(self, function: Callable[..., Any], /) -> TaskkitTask:
        """Make a task of a function."""
        ...


@overload
def task(function: Callable[..., Any], /) -> TaskkitTask: ...
@overload
def task(
    function: None = None,
    /,
    *,
    priority: int = 0,
    queue_name: str = "default",
    backend: str = "default",
    takes_context: bool = False,
    retry: RetryRule | None = None,
    retry_on: ErrorTypes = (Exception,),
    never_retry_on: ErrorTypes = (),
    timeout: Duration | None = None,
    unique: KeyBy = False,
    unique_scope: UniqueScope = "queued",
    lock: KeyBy = False,
    limit: int | None = None,
    isolation: Isolation = "thread",
    ttl: Duration = DEFAULT_TTL,
    expires: Duration | None = None,
    on_lost: OnLost = "retry",
    max_lost: int = DEFAULT_MAX_LOST,
    max_history: int = DEFAULT_MAX_HISTORY,
    labels: Mapping[str, Label] = MappingProxyType({}),
) -> Decorator: ...
def task(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a task of a function, as Django's ``@task`` does, that can do more.

    What it returns is a ``Task`` of Django in every respect: ``enqueue``, ``aenqueue``, ``using``,
    ``get_result``, ``call`` … and ``enqueue_many`` and ``aenqueue_many``, which put many in one
    round trip. With another backend than taskkit's, such as Django's immediate one in tests, it
    works too, and what is not Django's means nothing.

    Args:
        function: At module level; sync or ``async def``.
        options: Django's: ``priority``, ``queue_name``, ``backend``, ``takes_context``.

            taskkit's: ``retry`` (``exponential(1, max_retries=5)``), ``retry_on``,
            ``never_retry_on``, ``timeout``, ``unique``, ``unique_scope``, ``lock``, ``limit``,
            ``expires``, ``ttl``, ``on_lost``, ``max_lost``, ``max_history``, ``labels``,
            ``isolation``: the fields of ``taskkit.registry.TaskOptions``.

    Raises:
        InvalidTask: Django's, or taskkit's: an option is unknown or outside its limits.
    """
    if function is not None:
        return _make(function, options)
    return lambda function: _make(function, options)


# Django 6.0 has no defaults of its own for these.
_DJANGO: Final[Mapping[str, Any]] = {
    "priority": 0,
    "queue_name": "default",
    "backend": "default",
    "run_after": None,
    "takes_context": False,
}
_TASKKIT: Final = frozenset(TaskOptions.__slots__) - {"name", "aliases", "group", "priority"}


def _make(function: Callable[..., Any], given: dict[str, Any]) -> Any:
    own = {name: value for name, value in given.items() if name in _TASKKIT}
    django = {name: value for name, value in given.items() if name not in _TASKKIT}
    for name in django:
        if name not in _DJANGO or name == "run_after":
            raise InvalidTask(
                f"task: expected some of {', '.join(sorted({*_DJANGO, *_TASKKIT} - {'run_after'}))}"
                f", found {name!r}"
                + ("; say using(run_after=…) where it is put" if name == "run_after" else "")
            )
    said = {**_DJANGO, **django}
    options = TaskOptions(
        name=f"{PREFIX}{function.__module__}.{function.__qualname__}",
        group=said["queue_name"],
        priority=said["priority"],
        **own,
    )
    made = default_surface().task_class(func=function, options=options, **said)
    callee(made)  # so that a key of a parameter that it does not have is told here
    return made


def default_surface() -> Surface:
    """Return Django's own package where it has one, else the backport."""
    import django

    if django.VERSION >= (6, 0):
        from taskkit_django.tasks import native

        return native.SURFACE
    from taskkit_django.tasks import backport

    return backport.SURFACE
