"""The stored arguments of a schedule entry as a person can edit them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Written:
    """Arguments as text."""

    text: str
    """JSON of a list or an object; empty where there are none, or where they are no JSON."""
    hidden: str | None = None
    """What the text does not show, so that it cannot be read back; None: it shows all."""


def written(data: bytes) -> Written:
    """Return arguments as text, as far as text can hold them."""
    try:
        stored = json.loads(data)
    except ValueError:
        return Written("", "they are stored as something else than JSON")
    hidden = None
    if isinstance(stored, dict) and stored.keys() == {"args", "kwargs"}:
        if stored["args"] and stored["kwargs"]:
            return Written(_text(stored), "some are positional and others have names")
        stored = stored["args"] or stored["kwargs"]
        if _is_tagged(stored):
            hidden = "some are of types that JSON has no words for"
    elif not isinstance(stored, list | dict):
        hidden = "they are neither a list nor an object"
    return Written("" if stored in ([], {}) else _text(stored), hidden)


def _text(stored: Any) -> str:
    return json.dumps(stored, ensure_ascii=False)


def _is_tagged(value: Any) -> bool:
    """Return whether there is a value with its type in it, as ``celery.codec`` writes it."""
    if isinstance(value, list):
        return any(_is_tagged(each) for each in value)
    if not isinstance(value, dict):
        return False
    return "$" in value or any(_is_tagged(each) for each in value.values())
