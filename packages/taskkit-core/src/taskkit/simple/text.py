"""The data of the protocol as JSON text and back, types and all: for stores of documents.

Every type of ``taskkit.task`` and ``taskkit.records`` comes back equal and of its own type, inside
lists and dicts too; bytes, tuples and frozensets do as well. The text is ASCII without newlines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final

from taskkit import records, task
from taskkit.errors import Corrupt

_KIND: Final = ""
"""The key of a value's type. A dict that has such a key itself is written as pairs."""

_MAKERS: Final[Mapping[str, Callable[..., Any]]] = {
    **{
        name: kind
        for module in (task, records)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, Enum))
    },
    "bytes": lambda text: text.encode("latin-1"),
    "tuple": lambda items: tuple(items),  # noqa: PLW0108 - tuple() takes no argument by name
    "dict": lambda items: dict(items),  # noqa: PLW0108 - as tuple()
    "frozenset": lambda items: frozenset(items),  # noqa: PLW0108 - as tuple()
}


def to_text(value: object) -> str:
    """Return a value as one line of JSON.

    Raises:
        TypeError: it is, or holds, something that is no part of the protocol.
    """
    return json.dumps(_plain(value), separators=(",", ":"))


def from_text(text: str | bytes) -> Any:
    """Return the value that ``to_text`` made this of.

    Raises:
        Corrupt: it is no such text.
    """
    try:
        return json.loads(text, object_hook=_whole)
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt(f"expected a text of taskkit.simple.text, found {text[:200]!r}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return {_KIND: type(value).__name__, "value": value.value}
    if isinstance(value, bytes):
        return {_KIND: "bytes", "text": value.decode("latin-1")}
    if isinstance(value, tuple | frozenset):
        return {_KIND: type(value).__name__, "items": [_plain(item) for item in value]}
    if is_dataclass(value):
        items = {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
        return {_KIND: type(value).__name__, **items}
    if isinstance(value, Mapping) and _KIND in value:
        return {_KIND: "dict", "items": [[key, _plain(item)] for key, item in value.items()]}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _whole(found: dict[str, Any]) -> Any:
    return _MAKERS[found.pop(_KIND)](**found) if _KIND in found else found
