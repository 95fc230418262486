"""The msgspec types that a function's parameters become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from inspect import Parameter
from typing import Any, Final, NamedTuple, Union
from uuid import UUID

import msgspec

from taskkit.errors import InvalidTask
from taskkit.registry.custom import from_json, from_python

# Text is not taken for one of these, and one of these not for text: "abcd" would otherwise pass
# for the bytes that it is the base64 of.
NOT_TEXT: Final = (datetime, date, time, timedelta, UUID, Decimal, bytes, bytearray)

_SIMPLE: Final = (str, int, float, bool, bytes, type(None))
_SPREADS: Final[dict[Any, Any]] = {
    Parameter.VAR_POSITIONAL: list,
    Parameter.VAR_KEYWORD: dict,
}


class Field(NamedTuple):
    """A parameter, the name of its argument in the JSON, and the argument's type."""

    parameter: Parameter
    wire_name: str
    type: Any


class Structs:
    """How the arguments of one function are checked when they are put and when they are read.

    Two structs: what is left to its default is not sent, so that a parameter can be taken away
    again while old tasks are still queued; but a call needs a value for each.
    """

    def __init__(self, name: str, fields: Sequence[Field]) -> None:
        given = _struct(name, fields, _given)
        self._given = given
        try:
            self._decoder = msgspec.json.Decoder(_struct(name, fields, _full), dec_hook=from_json)
        except Exception as error:
            raise _unsupported(name, fields, error) from error

    def check(self, arguments: dict[str, Any], *, typed: bool) -> msgspec.Struct:
        """Return the arguments that were given, each of its parameter's type.

        Args:
            arguments: By wire name.
            typed: Whether a parameter's type is told apart from text by its annotation only.
        """
        if not typed:  # plain JSON types, and three times as fast
            return msgspec.convert(arguments, self._given)
        return msgspec.convert(arguments, self._given, builtin_types=NOT_TEXT, dec_hook=from_python)

    def read(self, data: bytes) -> tuple[Any, ...]:
        """Return a value for each parameter, defaults included."""
        return msgspec.structs.astuple(self._decoder.decode(data))


def _given(parameter: Parameter) -> tuple[Any, ...]:
    if parameter.default is parameter.empty and parameter.kind not in _SPREADS:
        return ()
    return (msgspec.UNSET,)


def _full(parameter: Parameter) -> tuple[Any, ...]:
    default = parameter.default
    if parameter.kind in _SPREADS:
        return (msgspec.field(default_factory=_SPREADS[parameter.kind]),)
    if default is parameter.empty:
        return ()
    if type(default) in _SIMPLE:
        return (default,)
    # The function's own default object, as Python would pass it: no copy, no check.
    return (msgspec.field(default_factory=lambda: default),)


def _struct(
    name: str, fields: Sequence[Field], default: Callable[[Parameter], tuple[Any, ...]]
) -> type[msgspec.Struct]:
    definitions: list[Any] = []
    for index, field in enumerate(fields):
        value = default(field.parameter)
        unset = value == (msgspec.UNSET,)
        kind = Union[field.type, msgspec.UnsetType] if unset else field.type  # noqa: UP007 - may be no class
        definitions.append((f"p{index}", kind, *value))
    return msgspec.defstruct(
        f"Arguments of {name}",
        definitions,
        # Neutral names inside: a parameter may be called what a Struct uses itself.
        rename={f"p{index}": field.wire_name for index, field in enumerate(fields)},
        forbid_unknown_fields=True,
        # In the order of the signature even where a required one follows an optional one.
        kw_only=True,
    )


def _unsupported(name: str, fields: Sequence[Field], error: Exception) -> InvalidTask:
    """Return an error that names the parameter whose annotation no decoder can be made for."""
    for field in fields:
        try:
            msgspec.json.Decoder(field.type, dec_hook=from_json)
        except Exception as found:  # noqa: BLE001 - whatever it is, it becomes the message
            return InvalidTask(
                f"task {name!r}: argument {field.parameter.name!r}: its annotation cannot be "
                f"used: {found}"
            )
    return InvalidTask(f"task {name!r}: its annotations cannot be used: {error}")
