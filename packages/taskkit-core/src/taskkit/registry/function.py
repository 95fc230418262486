"""A decorated function: still that function, and a way to have it called by a worker."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar

from taskkit.convert import Moment
from taskkit.errors import InvalidTask, RetryTask
from taskkit.registry.keys import key_rule
from taskkit.registry.options import Duration, TaskOptions
from taskkit.registry.parameters import Parameters
from taskkit.registry.prepared import Arguments, Prepared
from taskkit.registry.retry import interval, takes_exception
from taskkit.task import Label, Task

if TYPE_CHECKING:
    from taskkit.registry.codec import ArgumentCodec, ResultCodec
    from taskkit.registry.registry import TaskRegistry
    from taskkit.result import Result

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class FunctionTask(Generic[P, R, T]):
    """A function whose calls can be tasks. Calling it just calls the function.

    ``P`` are its parameters, ``R`` is what a call returns and ``T`` what the task's result is:
    the same, but for ``async def`` what awaiting the call gives.
    """

    # From the function, by update_wrapper.
    __name__: str
    __qualname__: str

    def __init__(
        self, registry: TaskRegistry, function: Callable[P, R], declared: TaskOptions
    ) -> None:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise InvalidTask(
                f"task {declared.name!r}: expected a function that returns its result, found one "
                "that yields"
            )
        functools.update_wrapper(self, function)
        self.registry = registry
        """The registry that it was defined in."""
        self.function = function
        self.declared = declared
        """Its options."""
        self.name = declared.name
        self.group = declared.group
        self.is_async = inspect.iscoroutinefunction(function)
        self.is_isolated = declared.isolation == "process"
        self.parameters = Parameters(self.name, function)
        self.unique_key = key_rule("unique", declared.unique, self.name, self.parameters)
        self.lock_key = key_rule("lock", declared.lock, self.name, self.parameters)
        self.fields = declared.fields()
        """What its options say about every task that is put."""
        self._rule_takes_exception = declared.retry is not None and takes_exception(declared.retry)
        self._prepared: Prepared[P, T] = Prepared(self, self.fields)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function here and now."""
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<task {self.name!r} of group {self.group!r}>"

    def __reduce__(self) -> str:
        # By reference, as functions are pickled.
        return self.__qualname__

    # ---- for the program that puts tasks

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> Result[T]:
        """Put a task that calls the function with these arguments, and return its result.

        Raises:
            InvalidTask: the arguments do not fit the signature or its annotations.
            QueueFull: the group is at its ``max_queue_size``.
        """
        return self._prepared.delay(*args, **kwargs)

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> Result[T]:
        """Do what ``delay`` does, without blocking the event loop."""
        return await self._prepared.adelay(*args, **kwargs)

    def delay_many(self, calls: Iterable[Arguments]) -> list[Result[T]]:
        """Put a task for each call, all or none, in one round trip; return results in order.

        Args:
            calls: For each the arguments: a tuple of positional or a dict of keyword ones.
        """
        return self._prepared.delay_many(calls)

    async def adelay_many(self, calls: Iterable[Arguments]) -> list[Result[T]]:
        """Do what ``delay_many`` does, without blocking the event loop."""
        return await self._prepared.adelay_many(calls)

    def options(
        self,
        *,
        due: Moment | None = None,
        priority: int | None = None,
        labels: Mapping[str, Label] | None = None,
        within: object | None = None,
        ttl: Duration | None = None,
        timeout: Duration | None = None,
        expires: Moment | None = None,
        unique_key: str | None = None,
        lock_key: str | None = None,
        group: str | None = None,
        eager: bool | None = None,
    ) -> Prepared[P, T]:
        """Return the task with other options than it declares, to ``delay`` with.

        ``due``, ``priority``, ``ttl``, ``timeout``, ``expires`` and ``eager`` are as for
        ``Kit.initiate_task``, and seconds may be a timedelta. ``labels`` are added to the declared
        ones; ``unique_key`` and ``lock_key`` take the place of the keys that ``unique`` and
        ``lock`` make; ``group`` is another group, such as a subgroup of the declared one. With
        ``within``, the caller's open transaction, the task exists if and only if that commits.
        """
        return self._prepared.options(
            due=due,
            priority=priority,
            labels=labels,
            within=within,
            ttl=ttl,
            timeout=timeout,
            expires=expires,
            unique_key=unique_key,
            lock_key=lock_key,
            group=group,
            eager=eager,
        )

    # ---- for the registry

    @cached_property
    def _codecs(self) -> tuple[ArgumentCodec, ResultCodec]:
        from taskkit.registry.codec import codecs

        return codecs(self.name, self.function, self.parameters)

    @cached_property
    def codec(self) -> ArgumentCodec:
        """Encodes and decodes its arguments."""
        return self._codecs[0]

    @cached_property
    def results(self) -> ResultCodec:
        """Encodes and decodes its results."""
        return self._codecs[1]

    def key_fields(self, data: bytes) -> dict[str, str]:
        """Return the unique and lock keys that encoded arguments have."""
        fields = {}
        for field, rule in (("unique_key", self.unique_key), ("lock_key", self.lock_key)):
            key = None if rule is None else rule(self.codec, data)
            if key is not None:
                fields[field] = key
        return fields

    def retry_interval(self, task: Task, error: Exception) -> float | None:
        """Return in how many seconds to retry a task that raised, or None to let it fail."""
        declared = self.declared
        if declared.retry is None:
            return None
        # Whoever raises RetryTask has chosen already; only how long to wait is left to the rule.
        if not isinstance(error, RetryTask) and (
            not isinstance(error, declared.retry_on) or isinstance(error, declared.never_retry_on)
        ):
            return None
        return interval(declared.retry, self._rule_takes_exception, task.retry_count, error)
