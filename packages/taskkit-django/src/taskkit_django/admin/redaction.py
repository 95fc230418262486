"""Arguments as the admin shows them: readable, cut where they are long, secrets left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any, Final

from django.utils.module_loading import import_string

from taskkit_django.handler import positional_names
from taskkit_django.settings import read_settings

HIDDEN: Final = "•••••"
LONGEST: Final = 10_000
"""Characters of one value that are shown."""

_SECRET: Final = re.compile(
    r"passw|secret|token|api_?key|private_?key|authori[sz]ation|cookie|credential|session_?key",
    re.IGNORECASE,
)


def arguments(task_name: str, data: bytes) -> list[tuple[str, str]]:
    """Return the arguments of a task, name and value, as they may be shown.

    Positional ones of ``django.tasks`` and the Celery-style API have the names of the function's
    parameters, and that of their position where the function is not found.
    """
    try:
        stored = json.loads(data)
    except ValueError:
        return [("", _cut(repr(bytes(data[:LONGEST]))))]
    shown = _redactor()(task_name, _named(task_name, stored))
    return [(name, _shown(value)) for name, value in shown.items()]


def labels(given: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the labels of a task, in order, secrets left out."""
    return sorted(hide(given).items())


def text(data: bytes | None) -> str:
    """Return a result or progress as text, secrets left out."""
    if data is None:
        return ""
    try:
        return _shown(hide(json.loads(data)))
    except ValueError:
        return _cut(repr(bytes(data[:LONGEST])))


def one_line(task_name: str, data: bytes) -> str:
    """Return the arguments of a task in one line."""
    parts = []
    for name, value in arguments(task_name, data):
        flat = " ".join(value.split())
        parts.append(flat if not name or name.isdigit() else f"{name}={flat}")
    return ", ".join(parts)


def hide(value: Any) -> Any:
    """Return plain data in which what is named like a secret is hidden."""
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if _SECRET.search(str(key)) else hide(each) for key, each in value.items()
        }
    return [hide(each) for each in value] if isinstance(value, list) else value


def usual(task_name: str, given: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG001 - see TASKKIT["REDACT"]
    """Hide what is named like a secret: what is done unless the settings say otherwise."""
    hidden: dict[str, Any] = hide(given)
    return hidden


def _redactor() -> Callable[[str, dict[str, Any]], dict[str, Any]]:
    path = read_settings().redact
    if path is None:
        return usual
    found: Callable[[str, dict[str, Any]], dict[str, Any]] = import_string(path)
    return found


def _named(task_name: str, stored: Any) -> dict[str, Any]:
    if isinstance(stored, dict) and stored.keys() == {"args", "kwargs"}:
        args, kwargs = stored["args"], stored["kwargs"]
        if isinstance(args, list) and isinstance(kwargs, dict):
            # One that is given by name, too, keeps its position: the call fails, both are shown.
            names = [
                str(at) if name is None or name in kwargs else name
                for at, name in zip_longest(range(len(args)), positional_names(task_name))
            ]
            by_name = dict(zip(names, args, strict=False))
            return {**{name: _plain(each) for name, each in by_name.items()}, **_plain(kwargs)}
    return stored if isinstance(stored, dict) else {"": stored}


def _plain(value: Any) -> Any:
    """Return a value of the Celery-style API without what tells its type."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() - {"zone"} == {"$", "v"}:
        return _plain(value["v"])
    return {key: _plain(each) for key, each in value.items()}


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return _cut(value)
    return _cut(json.dumps(value, ensure_ascii=False, indent=2 if _is_big(value) else None))


def _is_big(value: Any) -> bool:
    return isinstance(value, dict | list) and len(str(value)) > 80


def _cut(shown: str) -> str:
    if len(shown) <= LONGEST:
        return shown
    return f"{shown[:LONGEST]}… ({len(shown) - LONGEST} characters more)"
