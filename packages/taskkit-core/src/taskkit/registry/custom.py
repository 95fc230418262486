"""Types that the JSON codec does not know by itself, and how they become plain data and back."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, Final

# Subclasses of these that a program passes (numpy-like ints) are sent as what they are a kind of.
_NUMBERS: Final = (int, float)


def to_plain(value: Any) -> Any:
    """Return plain data for an object that JSON has no word for.

    Pydantic models are recognised by their attributes, so that pydantic is never imported here.
    """
    kind = type(value)
    serializer = getattr(kind, "__pydantic_serializer__", None)
    if serializer is not None:
        return serializer.to_python(value, mode="json")
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, str):
        # Not str(value): Django's SafeString, what its templates render to, says that it is itself.
        return str.__str__(value)
    for number in _NUMBERS:
        if isinstance(value, number):
            return number(value)
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} cannot be written as JSON")


def from_json(kind: Any, value: Any) -> Any:
    """Return an object of ``kind`` from the plain data that ``to_plain`` made of it."""
    validator = getattr(kind, "__pydantic_validator__", None)
    if validator is None:
        return from_python(kind, value)
    from msgspec import json

    # As JSON again: a strict model takes a date as text only from JSON.
    return validator.validate_json(json.encode(value))


def from_python(kind: Any, value: Any) -> Any:
    """Return ``value`` if it is of ``kind`` already, else what can be made of it."""
    if not isinstance(kind, type):
        raise NotImplementedError(f"{kind!r} cannot be read from JSON")
    if isinstance(value, kind):
        return value
    validator = getattr(kind, "__pydantic_validator__", None)
    if validator is not None:
        return validator.validate_python(value)
    if issubclass(kind, str | PurePath) and isinstance(value, str | PurePath):
        return kind(value)
    if issubclass(kind, int | float) and type(value) in (int, float):
        return kind(value)
    found = type(value).__name__
    raise TypeError(f"Expected `{kind.__qualname__}`, got `{found}`")
