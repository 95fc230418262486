"""The codec's errors in the words of the caller: which parameter, what was expected and found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from taskkit.errors import InvalidTask

# "Expected `int`, got `str` - at `$.user.id`"
_WITH_PATH: Final = re.compile(r"(?s)(.*?)(?: - at `(?:key in )?\$\.?(.*)`)?")
_FIELD: Final = re.compile(r"Object (missing required|contains unknown) field `(.*)`")
_PARAMETER: Final = re.compile(r"\*{1,2}|[^.\[]*")


def refused_argument(task: str, error: Exception, spread: Mapping[str, str]) -> InvalidTask:
    """Return what to raise for an error about one of a task's arguments.

    Args:
        task: Its name.
        error: What the codec raised.
        spread: The names of the function's ``*args`` and ``**kwargs``, by ``"*"`` and ``"**"``.
    """
    text, path = _parts(error)
    if path:
        parameter = _PARAMETER.match(path)
        assert parameter is not None  # the pattern matches the empty string too
        first = parameter.group()
        name = spread.get(first, first)
        place = "" if path == first else f" (at {name}{path[len(first) :]})"
        return InvalidTask(f"task {task!r}: argument {name!r}: {text}{place}")
    field = _FIELD.fullmatch(text)
    if field:
        what = "missing" if field[1].startswith("missing") else "unexpected"
        return InvalidTask(f"task {task!r}: {what} argument {field[2]!r}")
    return InvalidTask(f"task {task!r}: its arguments cannot be understood: {text}")


def refused_result(task: str, what: str, error: Exception) -> InvalidTask:
    """Return what to raise for an error about a task's result."""
    text, path = _parts(error)
    return InvalidTask(f"task {task!r}: {what}: {text}{f' (at {path})' if path else ''}")


def _parts(error: Exception) -> tuple[str, str]:
    match = _WITH_PATH.fullmatch(str(error))
    assert match is not None  # everything in the pattern is optional
    text = match[1].replace("Expected ", "expected ", 1).replace(", got ", ", found ", 1)
    return text or type(error).__name__, match[2] or ""


def non_finite(value: Any, path: str = "") -> str | None:
    """Return where in plain data the first NaN or infinity is, or None."""
    if isinstance(value, float):
        return None if value - value == 0 else path
    items: Any = ()
    if isinstance(value, dict):
        items = ((f"{path}.{key}" if path else str(key), item) for key, item in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        items = ((f"{path}[{index}]", item) for index, item in enumerate(value))
    return next((found for at, item in items if (found := non_finite(item, at)) is not None), None)
