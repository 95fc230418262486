"""Functions that are called with positional and keyword arguments, as their callers wrote them.

``django.tasks`` and the Celery-style API keep the two apart and look at no annotation, so that the
stored arguments are ``{"args": […], "kwargs": {…}}``. A function is found by its import path: the
worker imports what a task names when it first meets it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter, Signature, iscoroutinefunction, signature
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from taskkit.errors import InvalidData, InvalidTask, UnknownTask
from taskkit.ids import new_id
from taskkit.registry import FunctionTask, TaskOptions, TaskRegistry
from taskkit.registry.keys import readable_key
from taskkit.registry.prepared import split
from taskkit.task import NewTask, Task

if TYPE_CHECKING:
    from taskkit.registry.options import KeyBy

AnyFunctionTask: TypeAlias = FunctionTask[..., Any, Any]

Call: TypeAlias = Callable[[Sequence[Any], Mapping[str, Any]], Any]
"""Calls a function with its arguments; returns what of its result is stored, as plain JSON data."""

_OPTIONS: Final = TaskOptions.__slots__
_POSITIONAL: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True, slots=True)
class Callee:
    """A function as a family of tasks knows it."""

    function: Callable[..., Any]
    """The function itself."""
    call: Call
    """Calls it; a coroutine function if it is one."""
    options: TaskOptions
    """Its name with the family's prefix, its group, and what else is said of it."""
    given: int = 0
    """How many of the function's first parameters are not stored, such as a context."""


class Calls:
    """The handler of one family of tasks.

    Args:
        prefix: What the names of its tasks begin with; an import path follows.
        find: Returns the callee at an import path, and raises ``ImportError``, ``AttributeError``
            or ``LookupError`` where there is none.
        dumps: Turns what a caller passes into plain JSON data.
        loads: The inverse.
    """

    def __init__(
        self,
        prefix: str,
        find: Callable[[str], Callee],
        dumps: Callable[[Any], Any],
        loads: Callable[[Any], Any],
    ) -> None:
        self.prefix = prefix
        self._find = find
        self._dumps = dumps
        self._loads = loads
        self._functions: dict[str, AnyFunctionTask] = {}
        self._callees: dict[str, Callee] = {}

    # ---- functions

    def add(self, callee: Callee) -> AnyFunctionTask:
        """Enter a function, in the place of an earlier one of its name.

        Raises:
            InvalidTask: an option is outside its limits.
        """
        # A registry for each, because a registry refuses a second function of one name, and a
        # module that is reloaded brings one.
        options = {option: getattr(callee.options, option) for option in _OPTIONS}
        made: AnyFunctionTask = TaskRegistry().task(**options)(self._standing_for(callee))
        self._callees[made.name] = callee
        self._functions[made.name] = made
        return made

    def known(self, name: str) -> AnyFunctionTask:
        """Return the function of a name, importing it if need be.

        Raises:
            UnknownTask: there is none.
        """
        function = self._functions.get(name)
        if function is not None:
            return function
        path = name.removeprefix(self.prefix)
        try:
            callee = self._find(path)
        except (ImportError, AttributeError, LookupError) as error:
            raise UnknownTask(
                f"unknown task {name!r}: expected to find it by importing {path!r}: {error}", name
            ) from error
        # To import it may have entered it; two threads may both do so, with the same outcome.
        return self._functions.get(name) or self.add(callee)

    def positional(self, name: str) -> list[str]:
        """Return the names of the parameters that stored positional arguments go to, in order.

        Raises:
            UnknownTask: there is no function of this name.
        """
        self.known(name)
        callee = self._callees[name]
        parameters = list(signature(callee.function).parameters.values())[callee.given :]
        return [each.name for each in parameters if each.kind in _POSITIONAL]

    def functions(self) -> list[AnyFunctionTask]:
        """Return the functions that are known here by now."""
        return list(self._functions.values())

    def new(
        self, function: AnyFunctionTask, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> NewTask:
        """Return a task that calls a function, with the function's own options.

        Raises:
            InvalidTask: the arguments cannot be written as JSON.
        """
        data = self._encode(function, args, kwargs)
        fields = {**function.fields, **function.key_fields(data)}
        return NewTask(id=new_id(function.group), data=data, **fields)

    # ---- TaskHandler

    def handle(self, task: Task) -> Any:
        """Call the function that the task names; for ``async def`` the coroutine is returned."""
        return self.known(task.name).codec.call(task.data)

    def get_retry_interval(self, task: Task, exception: Exception) -> float | None:
        """Ask the function's retry rule."""
        return self.known(task.name).retry_interval(task, exception)

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:  # noqa: ARG002 - the protocol's parameter
        """Encode arguments: a dict of keyword ones, a tuple or list of positional ones, or None."""
        args, kwargs = split(() if data is None else data)
        return self._encode(self.known(task_name), args, kwargs)

    def encode_result(self, task: Task, result: Any) -> bytes:
        """Encode what the function returned."""
        return self.known(task.name).results.encode(result)

    def decode_result(self, task: Task, encoded: bytes) -> Any:  # noqa: ARG002 - the protocol's parameter
        """Decode a result; as plain JSON where the function is gone."""
        return self._loads(json.loads(encoded))

    def read_data(self, data: bytes) -> tuple[list[Any], dict[str, Any]]:
        """Return the arguments of a stored task.

        Raises:
            InvalidData: they cannot be understood.
        """
        try:
            found = json.loads(data)
            args, kwargs = found["args"], found["kwargs"]
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidData(f"expected stored arguments, found {data[:100]!r}") from error
        return self._loads(args), self._loads(kwargs)

    def is_async(self, task: Task) -> bool:
        """Return whether the function is ``async def``; false if it is unknown."""
        return self._is_known(task.name) and self.known(task.name).is_async

    def is_isolated(self, task: Task) -> bool:
        """Return whether the function asks for a process of its own; false if it is unknown."""
        return self._is_known(task.name) and self.known(task.name).is_isolated

    def complete(self, task: NewTask) -> NewTask:
        """Return a task with what its function declares, where the task says nothing else."""
        if not self._is_known(task.name):
            return task
        return self.known(task.name).registry.complete(task)

    def _encode(
        self, function: AnyFunctionTask, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> bytes:
        plain = self._dumps(list(args)), self._dumps(dict(kwargs))
        try:
            return function.codec.encode(plain, {})
        except InvalidTask as error:
            # It speaks of ours, "args" and "kwargs", not of what the caller wrote.
            raise _refused(function.name, *plain) or error from error

    def _standing_for(self, callee: Callee) -> Callable[..., Any]:
        """Return a function of ``(args, kwargs)`` that the core takes for the callee's own."""
        call, loads = callee.call, self._loads

        async def stands_for_async(args: list[Any], kwargs: dict[str, Any]) -> Any:
            return await call(loads(args), loads(kwargs))

        def stands_for(args: list[Any], kwargs: dict[str, Any]) -> Any:
            return call(loads(args), loads(kwargs))

        function = callee.function
        stand_in: Any = stands_for_async if iscoroutinefunction(function) else stands_for
        # Not functools.wraps: the signature has to stay ours.
        for name in ("__module__", "__qualname__", "__name__", "__doc__"):
            setattr(stand_in, name, getattr(function, name))
        return cast("Callable[..., Any]", stand_in)

    def _is_known(self, name: str) -> bool:
        try:
            self.known(name)
        except UnknownTask:
            return False  # told when it is handled
        return True


def _refused(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> InvalidTask | None:
    """Return an error that names the argument that cannot be written; None: none is found."""
    for place, value in (*enumerate(args), *kwargs.items()):
        try:
            json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError) as error:
            return InvalidTask(
                f"task {name!r}: argument {place!r}: expected what JSON can hold, found "
                f"{value!r:.100}: {error}"
            )
    return None


class Keys:
    """Makes unique and lock keys of the arguments that a function is called with.

    Args:
        name: The task's name; a key begins with it.
        function: The function.
        given: How many of its first parameters are not stored, such as a context.
        loads: Turns a stored argument into what the function gets.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        given: int = 0,
        loads: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        self._name = name
        self._function = function
        self._given = given
        self._loads = loads

    def by(self, what: str, by: KeyBy) -> KeyBy:
        """Return what ``unique=`` or ``lock=`` says about the function, said of stored arguments.

        Raises:
            InvalidTask: ``by`` is of no known kind, or names a parameter that the function has not.
        """
        if by is False or by is None:
            return False
        if callable(by):
            return lambda args, kwargs: by(*self._loads(args), **self._loads(kwargs))
        if by is True:
            return lambda args, kwargs: readable_key(self._name, self._values(args, kwargs))
        names = (by,) if isinstance(by, str) else by
        if not isinstance(names, tuple):
            raise InvalidTask(
                f"task {self._name!r}: {what}: expected True, a parameter's name, a tuple of them "
                f"or a function of the arguments, found {by!r}"
            )
        for name in names:
            if name not in self._signature.parameters:
                raise InvalidTask(
                    f"task {self._name!r}: {what}: expected names of its parameters "
                    f"({', '.join(self._signature.parameters)}), found {name!r}"
                )
        return lambda args, kwargs: self._selected(names, args, kwargs)

    @cached_property
    def _signature(self) -> Signature:
        whole = signature(self._function)
        parameters = list(whole.parameters.values())[self._given :]
        return whole.replace(
            parameters=[each.replace(annotation=Parameter.empty) for each in parameters]
        )

    def _selected(self, names: tuple[str, ...], args: Any, kwargs: Any) -> str:
        values = self._values(args, kwargs)
        return readable_key(self._name, {name: values[name] for name in names})

    def _values(self, args: Any, kwargs: Any) -> dict[str, Any]:
        try:
            bound = self._signature.bind(*self._loads(args), **self._loads(kwargs))
        except TypeError as error:
            raise InvalidTask(f"task {self._name!r}: {error}; it takes {self._signature}") from None
        bound.apply_defaults()
        return dict(bound.arguments)
