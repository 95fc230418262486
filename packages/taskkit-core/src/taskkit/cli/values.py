"""The kinds of values that options take. What argparse catches here costs no traceback."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from typing import Final

_SUFFIXES: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def positive(text: str) -> int:
    """Return a whole number from 1."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ArgumentTypeError(f"expected a whole number from 1, found {text!r}")
    return number


def seconds(text: str) -> float:
    """Return seconds; whether so many make sense is for the setting to say."""
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"expected seconds, such as 30 or 0.5, found {text!r}") from None


def size(text: str) -> int:
    """Return bytes: a whole number, or one with K, M or G (of 1024)."""
    factor = _SUFFIXES.get(text[-1:].upper(), 1)
    number = text[:-1] if factor > 1 else text
    if not number.isdecimal() or int(number) == 0:
        raise ArgumentTypeError(f"expected bytes, such as 536870912, 512M or 2G, found {text!r}")
    return int(number) * factor


def label(text: str) -> tuple[str, str | int | float | bool]:
    """Return the two sides of ``key=value``: 5 and true as JSON has them, anything else is text.

    Text that looks like a number is written as JSON too: ``zip='"01234"'``.
    """
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ArgumentTypeError(f"expected KEY=VALUE, found {text!r}")
    try:
        scalar = json.loads(value)
    except ValueError:
        scalar = value
    return key, scalar if isinstance(scalar, str | int | float | bool) else value
