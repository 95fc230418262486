"""``shared_task``: a function whose calls can be tasks, with Celery's names for everything."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from inspect import iscoroutinefunction
from typing import Any, Final, Generic, NoReturn, ParamSpec, TypeVar, cast
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings

from taskkit.context import current_task, in_task
from taskkit.convert import to_when
from taskkit.errors import InvalidTask
from taskkit.ids import new_uuid7
from taskkit.registry import FunctionTask, TaskOptions
from taskkit.task import NewTask
from taskkit_django.calls import Callee, Keys
from taskkit_django.celery.codec import dumps, loads
from taskkit_django.celery.given import check_arguments, check_ignored, to_uuid
from taskkit_django.celery.handler import HANDLER, PREFIX, declare
from taskkit_django.celery.result import AsyncResult, EagerResult
from taskkit_django.celery.retrying import (
    Delay,
    RetryRule,
    aware,
    raise_retry,
)
from taskkit_django.celery.signature import Signature
from taskkit_django.kit import kit

P = ParamSpec("P")
R = TypeVar("R")

_UNSAID: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class Declared:
    """What ``shared_task`` was given, in this package's words."""

    rule: RetryRule
    options: Mapping[str, Any]
    """Options of the core: group, priority, timeout …"""
    bind: bool = False
    ignore_result: bool = False
    max_retries: int | None = field(default=3)
    default_retry_delay: float = 180.0


@dataclass(frozen=True, slots=True)
class Request:
    """The attempt that a task runs in, with Celery's names."""

    id: str | None
    retries: int
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    called_directly: bool = False
    delivery_info: Mapping[str, Any] = field(default_factory=dict)


class SharedTask(Generic[P, R]):
    """A function whose calls can be tasks. Calling it just calls the function."""

    # From the function, by update_wrapper.
    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[P, R], name: str, declared: Declared) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name
        """Its import path, unless it was given another name."""
        self.queue = cast("str", declared.options["group"])
        self.max_retries = declared.max_retries
        self.default_retry_delay = declared.default_retry_delay
        self._declared = declared
        keys = Keys(PREFIX + name, function, given=int(declared.bind), loads=loads)
        options = {
            **declared.options,
            **{
                what: keys.by(what, declared.options.get(what, False))
                for what in ("unique", "lock")
            },
        }
        callee = Callee(
            function,
            self._call_async if iscoroutinefunction(function) else self._call,
            TaskOptions(name=PREFIX + name, retry=declared.rule, **options),
            given=int(declared.bind),
        )
        declare(name, callee)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now."""
        return cast("R", self.run(*args, **kwargs))

    def __repr__(self) -> str:
        return f"<@task: {self.name}>"

    def __reduce__(self) -> str:
        # By reference, as functions are pickled.
        return self.__qualname__

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function, with the task itself as its first argument where it is bound."""
        function: Callable[..., Any] = self.function
        return function(self, *args, **kwargs) if self._declared.bind else function(*args, **kwargs)

    # ---- for the program that puts tasks

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Put a task that calls the function with these arguments."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        countdown: float | None = None,
        eta: datetime | None = None,
        expires: float | datetime | None = None,
        queue: str | None = None,
        *,
        priority: int | None = None,
        task_id: str | UUID | None = None,
        **ignored: Any,
    ) -> AsyncResult[R]:
        """Put a task that calls the function; it joins the open transaction.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
            countdown: Seconds after which it may run.
            eta: When it may run; a naive moment is in the project's time zone.
            expires: When it is cancelled if nobody has begun it: seconds from now, or a moment.
            queue: Another one than the task declares.
            priority: −100 to 100, high first.
            task_id: A UUID of your own: a second task of the same is not put.
            ignored: Options of Celery that change nothing here, such as ``ignore_result``.

        Raises:
            InvalidInput: an argument cannot be stored, or an option is unknown or not usable.
        """
        check_ignored(ignored)
        if getattr(settings, "CELERY_TASK_ALWAYS_EAGER", False):
            return self.apply(args, kwargs)
        due = countdown or (None if eta is None else aware(eta))
        what = "countdown" if countdown else "eta"
        until = aware(expires) if isinstance(expires, datetime) else expires
        changed = {
            "due": None if due is None else to_when(what, due),
            "expires": None if until is None else to_when("expires", until),
            "group": queue,
            "priority": priority,
        }
        task = self._new(args or (), kwargs or {}, task_id, changed)
        return AsyncResult(kit().put_new([task])[0].id)

    def apply(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None
    ) -> EagerResult[R]:
        """Call the function here and now, with arguments that could have been stored.

        What it raises is in the result, and comes out where ``CELERY_TASK_EAGER_PROPAGATES`` says.
        """
        check_arguments(args or (), kwargs or {})
        stored = dumps(list(args or ())), dumps(dict(kwargs or {}))
        identity = UUID(int=new_uuid7())
        run: Callable[..., Any] = self.run
        if iscoroutinefunction(self.function):
            run = async_to_sync(self._run_async)
        try:
            return EagerResult(identity, run(*loads(stored[0]), **loads(stored[1])))
        except Exception as error:
            if getattr(settings, "CELERY_TASK_EAGER_PROPAGATES", False):
                raise
            told = "".join(traceback.format_exception(error))
            return EagerResult(identity, error, "FAILURE", told)

    def s(self, *args: P.args, **kwargs: P.kwargs) -> Signature[P, R]:
        """Return the call as an object, to be put later."""
        return Signature(self, args, kwargs)

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[P, R]:
        """Return the same as ``s``: nothing is ever added to the arguments."""
        return self.s(*args, **kwargs)

    # ---- for the task itself

    def retry(
        self,
        exc: BaseException | None = None,
        eta: datetime | None = None,
        countdown: float | None = None,
        max_retries: int | None = _UNSAID,
        retry_backoff: bool | float = False,
        retry_backoff_max: float = 600,
        retry_jitter: bool = True,
        default_retry_delay: float | None = None,
        **ignored: Any,
    ) -> NoReturn:
        """End this attempt and have the task run again; arguments stay as they are.

        Args:
            exc: Why; the task fails with it once it may not be retried any more.
            eta: When; a naive moment is in the project's time zone.
            countdown: Seconds from now.
            max_retries: Retries after which it fails, the task's 3 unless said; None is no end.
            retry_backoff: The n-th retry, from 0, waits this to the power of n; True is 2.
            retry_backoff_max: Seconds that no back-off exceeds.
            retry_jitter: Wait a random part of the back-off.
            default_retry_delay: Seconds where nothing else is said, the task's 180 unless said.
            ignored: Options of Celery that change nothing here, such as ``throw``.

        Raises:
            Retry: always, unless it may not be retried: then ``exc``.
        """
        if "args" in ignored or "kwargs" in ignored:
            raise InvalidTask("retry: the arguments of a task stay as they are; put a new task")
        usual = self.default_retry_delay if default_retry_delay is None else default_retry_delay
        wait = usual if countdown is None else countdown
        delay = Delay(wait, backoff_base(retry_backoff), retry_backoff_max, retry_jitter)
        most = self.max_retries if max_retries is _UNSAID else max_retries
        raise_retry(exc, eta, delay, most)

    @property
    def request(self) -> Request:
        """The attempt that runs here."""
        if not in_task():
            return Request(None, 0, called_directly=True)
        context = current_task()
        return Request(
            str(UUID(context.id[-32:])),
            context.retry_count,
            delivery_info={"routing_key": context.group, "priority": context.task.priority},
        )

    # ---- within

    def _new(
        self,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        task_id: str | UUID | None,
        changed: Mapping[str, Any],
    ) -> NewTask:
        check_arguments(args, kwargs)
        known: FunctionTask[..., Any, Any] = HANDLER.known(PREFIX + self.name)
        task = HANDLER.new(known, args, kwargs)
        said = {name: value for name, value in changed.items() if value is not None}
        group = said.get("group", task.group)
        if task_id is not None:
            said["id"] = f"{group}_{to_uuid('task_id', task_id).hex}"
        elif group != task.group:
            said["id"] = f"{group}_{task.id[-32:]}"
        return replace(task, **said)

    async def _run_async(self, *args: Any, **kwargs: Any) -> Any:
        return await self.run(*args, **kwargs)

    def _call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return self._kept(self.run(*args, **kwargs))

    async def _call_async(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return self._kept(await self.run(*args, **kwargs))

    def _kept(self, result: Any) -> Any:
        if self._declared.ignore_result:
            return None
        try:
            return dumps(result)
        except InvalidTask:
            # Nobody may want it: tasks of django-taskq have no results, and return what they like.
            return None


def backoff_base(given: bool | float) -> float:
    """Return what is raised to the power of the retries; 0 is no back-off."""
    if given is True:
        return 2
    return float(given or 0)
