"""Arguments and results as JSON, checked against the function's annotations.

Everything that a function's codec needs is built once, when the function is first put or run, not
when it is decorated: its annotations may name what is defined later, and importing msgspec takes
longer than ``taskkit --help`` may.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Final

import msgspec

from taskkit.errors import InvalidData, InvalidTask
from taskkit.registry.annotations import Content, content, hints, wire_type
from taskkit.registry.custom import from_json, to_plain
from taskkit.registry.explain import non_finite, refused_argument, refused_result
from taskkit.registry.parameters import Parameters
from taskkit.registry.structs import NOT_TEXT, Field, Structs

_PLAIN: Final = frozenset({str, int, float, bool, type(None)})

_encoder: Final = msgspec.json.Encoder(enc_hook=to_plain)


def canonical(value: Any) -> bytes:
    """Return a value as the one JSON that all values equal to it have.

    Raises:
        TypeError: it holds a set whose items have no order among each other.
    """
    # First plain, then sorted: the encoder alone sorts only dicts whose keys are text already.
    plain = msgspec.to_builtins(value, enc_hook=to_plain, str_keys=True, order="deterministic")
    return msgspec.json.encode(_whole(plain), order="sorted")


def _whole(plain: Any) -> Any:
    """Return plain data with 1.0 as 1, which it equals: a default may be the one or the other."""
    if isinstance(plain, float):
        return int(plain) if plain.is_integer() else plain
    if isinstance(plain, dict):
        return {key: _whole(item) for key, item in plain.items()}
    if isinstance(plain, list | tuple):
        return [_whole(item) for item in plain]
    return plain


class ArgumentCodec:
    """Turns the arguments of one function into bytes, and bytes into a call. Thread-safe."""

    def __init__(
        self, name: str, function: Callable[..., Any], parameters: Parameters, types: dict[str, Any]
    ) -> None:
        self._name = name
        self._function = function
        self._parameters = parameters
        fields = [
            Field(parameter, wire, wire_type(parameter, types))
            for parameter, wire in zip(parameters.all, parameters.wire_names, strict=True)
        ]
        contents = [(field.wire_name, content(field.type)) for field in fields]
        self._loose = tuple(
            wire for wire, c in contents if Content.LOOSE in c and Content.TYPED not in c
        )
        self._typed = any(Content.TYPED in c for _, c in contents)
        self._structs = Structs(name, fields)
        self._spread = {
            field.wire_name: field.parameter.name
            for field in fields
            if field.wire_name != field.parameter.name
        }
        self._empty = not fields

    def encode(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
        """Return the arguments of a call as JSON that the function will accept.

        Raises:
            InvalidTask: they do not fit the signature or its annotations; names the parameter.
        """
        if self._empty and not args and not kwargs:
            return b"{}"
        given = self._parameters.bind(args, kwargs)
        for wire in self._loose:
            if wire in given and type(given[wire]) not in _PLAIN:
                self._check_loose(wire, given[wire])
        try:
            checked = self._structs.check(given, typed=self._typed)
        except Exception as error:
            raise self._refused(error) from error
        try:
            data = _encoder.encode(checked)
        except Exception as error:
            raise self._unwritable(given, error) from error
        if self._typed:
            # An object of the right class can hold anything: only reading it back tells.
            self._read(data)
        # The codec writes NaN as null: where there is no null there was no NaN to look for.
        if b"null" in data and (at := _where_non_finite(checked)) is not None:
            raise self._refused(
                ValueError(f"expected a finite number, found NaN or infinity - at `$.{at}`")
            )
        return data

    def call(self, data: bytes) -> Any:
        """Call the function with the arguments in ``data``.

        Raises:
            InvalidData: they cannot be decoded, or do not fit the annotations.
        """
        if self._empty and data == b"{}":
            return self._function()
        values = self._read(data)
        if self._parameters.positional:
            return self._function(*values)
        args, kwargs = self._parameters.spread(values)
        return self._function(*args, **kwargs)

    def arguments(self, data: bytes) -> tuple[list[Any], dict[str, Any]]:
        """Return what ``call`` would call with, defaults included."""
        return self._parameters.spread(self._read(data))

    def by_name(self, data: bytes) -> dict[str, Any]:
        """Return the value of each parameter, defaults included."""
        names = (parameter.name for parameter in self._parameters.all)
        return dict(zip(names, self._read(data), strict=True))

    def _read(self, data: bytes) -> tuple[Any, ...]:
        try:
            return self._structs.read(data)
        except Exception as error:
            raise InvalidData(str(self._refused(error))) from error

    def _check_loose(self, wire: str, value: Any) -> None:
        try:
            # The standard library's encoder takes plain JSON types and nothing else.
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            text = (
                f"{error}; its annotation does not say what it is, so it must be plain JSON: "
                f"annotate the parameter with its type - at `$.{wire}`"
            )
            raise self._refused(ValueError(text)) from error

    def _unwritable(self, given: Mapping[str, Any], error: Exception) -> InvalidTask:
        """Return an error that names the argument that the encoder stumbled over."""
        for wire, value in given.items():
            try:
                _encoder.encode(value)
            except Exception as found:  # noqa: BLE001 - whatever it is, it becomes the message
                return self._refused(ValueError(f"{found} - at `$.{wire}`"))
        return self._refused(error)

    def _refused(self, error: Exception) -> InvalidTask:
        return refused_argument(self._name, error, self._spread)


class ResultCodec:
    """Turns the results of one function into bytes and back. Thread-safe."""

    def __init__(self, name: str, annotation: Any) -> None:
        self._name = name
        self._annotation = annotation

    @cached_property
    def _decoder(self) -> msgspec.json.Decoder[Any]:
        # Not before it is needed: a return annotation that JSON has no word for hinders nobody
        # who does not read results.
        return msgspec.json.Decoder(self._annotation, dec_hook=from_json)

    def encode(self, result: Any) -> bytes:
        """Return a result as JSON.

        Raises:
            InvalidTask: it, or something in it, cannot be written as JSON.
        """
        if result is None:
            return b"null"
        try:
            data = _encoder.encode(result)
        except Exception as error:
            kind = type(result)
            what = f"its result of type {kind.__module__}.{kind.__qualname__} cannot be stored"
            raise refused_result(self._name, what, error) from error
        if b"null" in data and (at := _where_non_finite(result)) is not None:
            raise InvalidTask(
                f"task {self._name!r}: its result holds NaN or infinity, which JSON does not "
                f"have{f' (at {at})' if at else ''}"
            )
        return data

    def decode(self, data: bytes) -> Any:
        """Return the result that was stored, as the return annotation says.

        Raises:
            InvalidTask: it is not what the annotation says.
        """
        try:
            return self._decoder.decode(data)
        except Exception as error:
            what = "its stored result does not fit the function's return annotation"
            raise refused_result(self._name, what, error) from error


def codecs(
    name: str, function: Callable[..., Any], parameters: Parameters
) -> tuple[ArgumentCodec, ResultCodec]:
    """Build the codecs of a function.

    Raises:
        InvalidTask: an annotation cannot be evaluated, or JSON has no word for it.
    """
    types = hints(name, function)
    result = types.pop("return", Any)
    return ArgumentCodec(name, function, parameters, types), ResultCodec(name, result)


def _where_non_finite(value: Any) -> str | None:
    return non_finite(
        msgspec.to_builtins(value, enc_hook=to_plain, builtin_types=NOT_TEXT, str_keys=True)
    )
