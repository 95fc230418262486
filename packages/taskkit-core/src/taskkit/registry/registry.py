"""The handler that is made of decorated functions."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar, overload

from taskkit.errors import InvalidTask
from taskkit.registry.function import FunctionTask
from taskkit.registry.options import (
    DEFAULT_GROUP,
    Duration,
    ErrorTypes,
    Isolation,
    KeyBy,
    TaskOptions,
)
from taskkit.registry.prepared import split
from taskkit.registry.reference import default_name, find_registry, reference
from taskkit.registry.retry import RetryRule
from taskkit.registry.table import AnyFunctionTask, FunctionTable
from taskkit.task import (
    DEFAULT_MAX_HISTORY,
    DEFAULT_MAX_LOST,
    DEFAULT_TTL,
    Label,
    NewTask,
    OnLost,
    Task,
    UniqueScope,
)

if TYPE_CHECKING:
    from taskkit.kit import Kit

P = ParamSpec("P")
T = TypeVar("T")

_NO_OPTIONS: Final = {
    "rate": "the rate of its group is set with kit.configure(group, rate=(n, period))",
    "batch": "each call is handled by itself; delay_many() puts several at once",
}
"""What other systems let a task declare, and where it is found here."""


class Decorator(Protocol):
    """What ``task(...)`` with options returns: makes a task of a function."""

    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> FunctionTask[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def __call__(self, function: Callable[P, T], /) -> FunctionTask[P, T, T]: ...


class TaskRegistry:
    """A handler made of functions: ``@tasks.task`` makes one a task.

    It belongs to the kit that was made of it last; ``delay`` puts tasks there. Functions are
    registered while modules are imported; after that it may be used from any number of threads.
    """

    def __init__(self) -> None:
        self._table = FunctionTable()

    def __repr__(self) -> str:
        return f"<TaskRegistry of {len(self._table.functions)} tasks>"

    def __reduce__(self) -> tuple[Callable[..., TaskRegistry], tuple[Any, ...]]:
        return find_registry, reference(self)

    # ---- functions

    @overload
    def task(
        self, function: Callable[P, Coroutine[Any, Any, T]], /
    ) -> FunctionTask[P, Coroutine[Any, Any, T], T]: ...
    @overload
    def task(self, function: Callable[P, T], /) -> FunctionTask[P, T, T]: ...
    @overload
    def task(
        self,
        function: None = None,
        /,
        *,
        name: str | None = None,
        aliases: tuple[str, ...] = (),
        group: str = DEFAULT_GROUP,
        retry: RetryRule | None = None,
        retry_on: ErrorTypes = (Exception,),
        never_retry_on: ErrorTypes = (),
        timeout: Duration | None = None,
        unique: KeyBy = False,
        unique_scope: UniqueScope = "queued",
        lock: KeyBy = False,
        limit: int | None = None,
        priority: int = 0,
        isolation: Isolation = "thread",
        ttl: Duration = DEFAULT_TTL,
        expires: Duration | None = None,
        on_lost: OnLost = "retry",
        max_lost: int = DEFAULT_MAX_LOST,
        max_history: int = DEFAULT_MAX_HISTORY,
        labels: Mapping[str, Label] = MappingProxyType({}),
    ) -> Decorator: ...
    def task(self, function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Make a task of a function, which can still be called as before.

        Used bare, ``@tasks.task``, or with options, ``@tasks.task(group="mail", timeout=30)``.

        Args:
            function: Sync or ``async def``; its annotations say what arguments it takes.
            options: The fields of ``TaskOptions``; ``name`` is ``module.qualname`` unless given.

        Raises:
            InvalidTask: the name is taken, or an option is outside its limits.
        """
        if function is not None:
            return self._add(function, options)
        return lambda function: self._add(function, options)

    def include(self, other: TaskRegistry) -> None:
        """Take over the functions of another registry, those that it gets later too.

        Both belong to the same kit from then on.

        Raises:
            InvalidTask: a name is taken; nothing was included.
        """
        self._table.include(other._table)

    @property
    def functions(self) -> Mapping[str, AnyFunctionTask]:
        """All its functions by name, those of included registries too."""
        return MappingProxyType(self._table.functions)

    def __getitem__(self, name: str) -> AnyFunctionTask:
        """Return the function of a name or alias.

        Raises:
            UnknownTask: there is none; the message names similar ones.
        """
        function = self._table.by_name.get(name)
        if function is None:
            raise self._table.unknown(name)
        return function

    def __contains__(self, name: object) -> bool:
        return name in self._table.by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.functions)

    def _add(self, function: Any, options: dict[str, Any]) -> AnyFunctionTask:
        if isinstance(function, FunctionTask):
            raise InvalidTask(
                f"{function.name!r} is a task already: to have it in another registry as well, "
                "include() the first one there"
            )
        if isinstance(function, type) or not hasattr(function, "__qualname__"):
            raise InvalidTask(f"task: expected a function, found {function!r}")
        name = options.pop("name", None)
        if name is None:
            name = default_name(function)
        for option, instead in _NO_OPTIONS.items():
            if option in options:
                raise InvalidTask(
                    f"task {name!r}: expected an option of TaskOptions, found {option!r}: {instead}"
                )
        added: AnyFunctionTask = FunctionTask(self, function, TaskOptions(name=name, **options))
        self._table.add(added)
        return added

    # ---- the kit

    def bind(self, kit: Kit) -> None:
        """Have ``delay`` put tasks in this kit. ``Kit`` calls it when it is made."""
        self._table.bind(kit)

    @property
    def kit(self) -> Kit:
        """The kit that it belongs to.

        Raises:
            InvalidSetting: it belongs to none yet.
        """
        return self._table.kit

    # ---- TaskHandler

    def handle(self, task: Task) -> Any:
        """Call the function that the task names; for ``async def`` the coroutine is returned.

        Raises:
            UnknownTask: no function has this name.
            InvalidData: the arguments cannot be decoded, or do not fit the function.
        """
        function = self._table.by_name.get(task.name)
        if function is None:
            raise self._table.unknown(task.name)
        return function.codec.call(task.data)

    def get_retry_interval(self, task: Task, exception: Exception) -> float | None:
        """Ask the function's retry rule; without one, and for bad arguments, the task fails."""
        function = self._table.by_name.get(task.name)
        return None if function is None else function.retry_interval(task, exception)

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:  # noqa: ARG002 - the protocol's parameter
        """Encode arguments: a dict of keyword ones, a tuple or list of positional ones, or None.

        Raises:
            UnknownTask: no function has this name.
            InvalidTask: the arguments do not fit the function.
        """
        args, kwargs = split(() if data is None else data)
        return self[task_name].codec.encode(args, kwargs)

    def encode_result(self, task: Task, result: Any) -> bytes:
        """Encode what a function returned.

        Raises:
            InvalidTask: it cannot be written as JSON.
        """
        return self[task.name].results.encode(result)

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        """Decode a result by its function's return annotation; as plain JSON if it is unknown."""
        function = self._table.by_name.get(task.name)
        if function is None:
            import json

            return json.loads(encoded)
        return function.results.decode(encoded)

    def preload(self) -> None:
        """Build the codecs of all functions, once for the workers that are forked from here."""
        for function in self._table.functions.values():
            # What is wrong with one is told when it is put or run.
            with suppress(InvalidTask):
                function.codec  # noqa: B018 - built when it is first looked at

    def is_async(self, task: Task) -> bool:
        """Return whether the function is ``async def``; false if it is unknown."""
        function = self._table.by_name.get(task.name)
        return function is not None and function.is_async

    def is_isolated(self, task: Task) -> bool:
        """Return whether the function asks for a process of its own; false if it is unknown."""
        function = self._table.by_name.get(task.name)
        return function is not None and function.is_isolated

    def complete(self, task: NewTask) -> NewTask:
        """Return a task with what its function declares, where the task says nothing else.

        For tasks that are put by name: a schedule's, or those of ``Kit.initiate_task``. The group
        stays; a field that has ``NewTask``'s own default counts as not said.
        """
        function = self._table.by_name.get(task.name)
        if function is None:
            return task
        declared = {**function.key_fields(task.data), **function.fields}
        labels = {**declared.pop("labels"), **task.labels}
        said = {f.name for f in fields(task) if getattr(task, f.name) != f.default}
        unsaid = {name: value for name, value in declared.items() if name not in said}
        return replace(task, **unsaid, labels=labels)
