"""The handler of the tasks of the Celery-style API."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from taskkit_django.calls import Callee, Calls
from taskkit_django.celery.codec import dumps, loads

PREFIX: Final = "celery:"
"""Tells these tasks from others; ``handler.FAMILIES`` knows it."""

_DECLARED: Final[dict[str, Callee]] = {}


def declare(path: str, callee: Callee) -> None:
    """Remember a function that was decorated; one of the same path is replaced."""
    _DECLARED[path] = callee
    HANDLER.add(callee)


def _find(path: str) -> Callee:
    # It was not imported here yet: importing its module declares it.
    if path not in _DECLARED:
        import_module(path.rpartition(".")[0])
    try:
        return _DECLARED[path]
    except KeyError:
        raise LookupError(f"its module has no @shared_task of this name ({path})") from None


HANDLER: Final = Calls(PREFIX, _find, dumps, loads)
