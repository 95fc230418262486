"""Which function has which name, in a registry and in those that include it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from taskkit.errors import InvalidSetting, InvalidTask, UnknownTask
from taskkit.registry.function import FunctionTask

if TYPE_CHECKING:
    from taskkit.kit import Kit

AnyFunctionTask = FunctionTask[..., Any, Any]

_SHOWN: Final = 20


class FunctionTable:
    """The functions of one registry, and its links to others.

    What is added to a table is entered in all that include it as well, so that a lookup, which is
    on the way of every task, is one look into one dict.
    """

    def __init__(self) -> None:
        self.functions: dict[str, AnyFunctionTask] = {}
        self.by_name: dict[str, AnyFunctionTask] = {}
        """``functions`` and their aliases."""
        self._kit: Kit | None = None
        self._including: list[FunctionTable] = []
        self._included: list[FunctionTable] = []

    def add(self, *functions: AnyFunctionTask) -> None:
        """Enter functions here and in all tables that include this one, or nowhere.

        Raises:
            InvalidTask: a name is taken.
        """
        tables = list(self.including())
        for table in tables:
            for function in functions:
                table.check_free(function)
        for table in tables:
            for function in functions:
                table.functions[function.name] = function
                table.by_name.update(dict.fromkeys(_names(function), function))

    def check_free(self, function: AnyFunctionTask) -> None:
        """Refuse a function of which another one has the name, or an alias."""
        for name in _names(function):
            other = self.by_name.get(name)
            if other is not None and other is not function:
                raise InvalidTask(
                    f"task name {name!r}: expected one that is not taken, found "
                    f"{other.__module__}.{other.__qualname__} under it: give one of them a name, "
                    '@tasks.task(name="…")'
                )

    def include(self, other: FunctionTable) -> None:
        """Enter what another table has and what it will get, and give it this one's kit."""
        if self in other.included():
            raise InvalidTask("a registry cannot include itself, nor one that includes it")
        self.add(*other.functions.values())
        self._included.append(other)
        other._including.append(self)
        if self._kit is not None:
            other.bind(self._kit)

    def including(self) -> Iterator[FunctionTable]:
        """Yield this table and all that include it."""
        yield self
        for table in self._including:
            yield from table.including()

    def included(self) -> Iterator[FunctionTable]:
        """Yield this table and all that it includes."""
        yield self
        for table in self._included:
            yield from table.included()

    def unknown(self, name: str) -> UnknownTask:
        """Return the error for a name that nobody has, with what might have been meant."""
        near = difflib.get_close_matches(name, self.by_name, n=3)
        known = sorted(self.functions)
        return UnknownTask(
            f"unknown task {name!r}"
            + (f"; similar: {', '.join(near)}" if near else "")
            + f"; known: {', '.join(known[:_SHOWN]) or 'none'}"
            + (" …" if len(known) > _SHOWN else "")
            + ". Is the module that defines it imported in this process?",
            name,
        )

    def bind(self, kit: Kit) -> None:
        """Set the kit of this table and of all that it includes."""
        self._kit = kit
        for table in self._included:
            table.bind(kit)

    @property
    def kit(self) -> Kit:
        """The kit that was set last.

        Raises:
            InvalidSetting: none was.
        """
        if self._kit is None:
            raise InvalidSetting(
                "this registry is not part of a Kit yet, so there is no store to put a task in: "
                "kit = Kit(backend, tasks)"
            )
        return self._kit


def _names(function: AnyFunctionTask) -> tuple[str, ...]:
    return (function.name, *function.declared.aliases)
