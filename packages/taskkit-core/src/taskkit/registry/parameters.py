"""The parameters of a function: arguments become a dict by name, and a dict becomes a call.

In the dict an argument stands under its parameter's name; what ``*args`` and ``**kwargs`` collect
stands under ``"*"`` and ``"**"``, which no parameter can be called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Any, Final

from taskkit.errors import InvalidTask

STAR: Final = "*"
STARS: Final = "**"
_SPREAD: Final[Mapping[Any, str]] = {Parameter.VAR_POSITIONAL: STAR, Parameter.VAR_KEYWORD: STARS}
_BY_POSITION: Final = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class Parameters:
    """What a function can be called with. Annotations are not looked at."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.name = name
        try:
            self.signature = inspect.signature(function)
        except ValueError as error:  # some that are written in C do not tell
            raise InvalidTask(f"task {name!r}: {error}: wrap it in a function") from error
        self.all: tuple[Parameter, ...] = tuple(self.signature.parameters.values())
        self.wire_names = tuple(_SPREAD.get(p.kind, p.name) for p in self.all)
        self.positional = all(p.kind in _BY_POSITION for p in self.all)
        """Whether a call can give everything by position."""
        self._by_name = all(p.kind is Parameter.POSITIONAL_OR_KEYWORD for p in self.all)
        self._names = frozenset(self.wire_names)
        self._required = frozenset(
            p.name for p in self.all if p.default is p.empty and p.kind not in _SPREAD
        )
        self._least = len(self._required)
        self._most = len(self.all)
        self._first = sum(p.kind in _BY_POSITION for p in self.all)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments by name; parameters that are left to their defaults are left out.

        Raises:
            InvalidTask: an argument is missing, unexpected, or given twice.
        """
        # The two usual cases without Signature.bind, which costs more than all the rest of a put.
        if not kwargs:
            if self.positional and self._least <= len(args) <= self._most:
                return dict(zip(self.wire_names, args))  # noqa: B905 - the rest has defaults
        elif not args and self._by_name and self._required <= kwargs.keys() <= self._names:
            return dict(kwargs)
        try:
            bound = self.signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise InvalidTask(f"task {self.name!r}: {error}; it takes {self._bare()}") from None
        return {
            _SPREAD.get(self.signature.parameters[name].kind, name): value
            for name, value in bound.items()
        }

    def spread(self, values: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return positional and keyword arguments for a call, from one value per parameter."""
        args = list(values[: self._first])
        kwargs: dict[str, Any] = {}
        for parameter, value in zip(self.all[self._first :], values[self._first :], strict=True):
            if parameter.kind is Parameter.VAR_POSITIONAL:
                args.extend(value)
            elif parameter.kind is Parameter.VAR_KEYWORD:
                kwargs.update(value)
            else:
                kwargs[parameter.name] = value
        return args, kwargs

    def require(self, what: str, names: Sequence[str]) -> None:
        """Refuse names that no parameter has."""
        for name in names:
            if name not in self.signature.parameters:
                raise InvalidTask(
                    f"task {self.name!r}: {what}: expected names of its parameters "
                    f"{self._bare()}, found {name!r}"
                )

    def _bare(self) -> inspect.Signature:
        """Return the signature without annotations, which in a message are only noise."""
        return self.signature.replace(
            parameters=[p.replace(annotation=p.empty) for p in self.all],
            return_annotation=inspect.Signature.empty,
        )
