"""A function task with the options of its next calls: where arguments become tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeAlias, TypeVar, cast

from taskkit.convert import Moment, to_when
from taskkit.errors import InvalidTask
from taskkit.ids import new_id
from taskkit.limits import labels_of
from taskkit.registry.options import Duration, to_seconds
from taskkit.task import Label, NewTask, in_common
from taskkit.thaw import maker

if TYPE_CHECKING:
    from taskkit.registry.function import FunctionTask
    from taskkit.result import Result

P = ParamSpec("P")
T = TypeVar("T")

_make_new = maker(NewTask)

Arguments: TypeAlias = tuple[Any, ...] | Mapping[str, Any]
"""The arguments of one call: positional ones, or keyword ones by name."""


class Prepared(Generic[P, T]):
    """A function task with options; made by ``options()``, never changed, used any number of times.

    Its methods are those of ``FunctionTask``.
    """

    __slots__ = ("_common", "_eager", "_fields", "_function", "_within")

    def __init__(
        self,
        function: FunctionTask[P, Any, T],
        fields: Mapping[str, Any],
        within: object | None = None,
        *,
        eager: bool = False,
    ) -> None:
        self._function = function
        self._fields = fields
        self._within = within
        self._eager = eager
        self._common: tuple[str, str, tuple[Any, ...]] | None = None
        """What its calls have in common, once there was one: group, name, all behind the data."""

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> Result[T]:
        """Put a task that calls the function with these arguments, and return its result."""
        return self._put([self._new(args, kwargs)])[0]

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> Result[T]:
        """Do what ``delay`` does, without blocking the event loop."""
        return (await self._aput([self._new(args, kwargs)]))[0]

    def delay_many(self, calls: Iterable[Arguments]) -> list[Result[T]]:
        """Put a task for each call, all or none, in one round trip; return results in order."""
        return self._put(self._many(calls))

    async def adelay_many(self, calls: Iterable[Arguments]) -> list[Result[T]]:
        """Do what ``delay_many`` does, without blocking the event loop."""
        return await self._aput(self._many(calls))

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
        """Return the same with these options changed too; see ``FunctionTask.options``."""
        changed = {
            "due": None if due is None else to_when("due", due),
            "priority": priority,
            "labels": None if labels is None else {**self._fields["labels"], **labels_of(labels)},
            "ttl": None if ttl is None else to_seconds("ttl", ttl),
            "timeout": None if timeout is None else to_seconds("timeout", timeout),
            "expires": None if expires is None else to_when("expires", expires),
            "unique_key": unique_key,
            "lock_key": lock_key,
            "group": group,
        }
        given = {name: value for name, value in changed.items() if value is not None}
        return Prepared(
            self._function,
            {**self._fields, **given},
            self._within if within is None else within,
            eager=self._eager if eager is None else eager,
        )

    def _many(self, calls: object) -> list[NewTask]:
        if not isinstance(calls, Iterable):
            raise InvalidTask(
                f"calls: expected the arguments of each, such as [(1,), (2,)], found {calls!r:.200}"
            )
        return [self._new(*split(call)) for call in calls]

    def _new(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> NewTask:
        function = self._function
        data = function.codec.encode(args, kwargs)
        if function.unique_key is not None or function.lock_key is not None:
            fields = {**function.key_fields(data), **self._fields}
            return NewTask(id=new_id(fields["group"]), data=data, **fields)
        # By position: to call a class with keywords takes twice as long, and this is for each task.
        if self._common is None:
            group, name, *rest = in_common(NewTask(id="", data=b"", **self._fields))
            self._common = group, name, tuple(rest)
        group, name, options = self._common
        return _make_new(new_id(group), group, name, data, *options)

    def _put(self, tasks: list[NewTask]) -> list[Result[T]]:
        kit = self._function.registry.kit
        if self._eager:
            specs = [(task, True) for task in tasks]
            return cast("list[Result[T]]", kit.initiate_tasks(*specs, within=self._within))
        return cast("list[Result[T]]", kit.put_new(tasks, self._within))

    async def _aput(self, tasks: list[NewTask]) -> list[Result[T]]:
        if self._eager:
            import asyncio

            return await asyncio.to_thread(self._put, tasks)
        kit = self._function.registry.kit
        return cast("list[Result[T]]", await kit.aput_new(tasks, self._within))


def split(call: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Return positional and keyword arguments from a tuple (or list) or a dict.

    Raises:
        InvalidTask: it is neither, such as an argument that is not in a tuple.
    """
    if isinstance(call, tuple | list):
        return tuple(call), {}
    if isinstance(call, Mapping):
        return (), call
    raise InvalidTask(
        "expected the arguments of a call as a tuple of positional or a dict of keyword ones, "
        f"found {call!r:.200}: a single argument is ({call!r:.40},)"
    )
