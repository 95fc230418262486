"""What calls of the Celery-style API may be given; all else is refused in words of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from taskkit.errors import InvalidInput, InvalidTask

_IGNORED: Final = frozenset(
    {
        "add_to_parent",
        "compression",
        "connection",
        "exchange",
        "headers",
        "ignore_result",
        "producer",
        "publisher",
        "reply_to",
        "retry",
        "retry_policy",
        "routing_key",
        "serializer",
        "shadow",
    }
)
"""Options of ``apply_async`` that are about brokers, or change nothing here."""


def check_arguments(args: object, kwargs: object) -> None:
    """Refuse what is no positional, or no keyword arguments.

    Raises:
        InvalidTask: that is so.
    """
    if isinstance(args, str | bytes) or not isinstance(args, Iterable):
        raise InvalidTask(f"args: expected a list or tuple of arguments, found {args!r:.100}")
    if not isinstance(kwargs, Mapping):
        raise InvalidTask(f"kwargs: expected a dict of arguments by name, found {kwargs!r:.100}")


def to_uuid(what: str, given: object) -> UUID:
    """Return a UUID that is given as one or as text.

    Raises:
        InvalidInput: it is neither; ``what`` names it.
    """
    if isinstance(given, UUID):
        return given
    try:
        return UUID(str(given))
    except ValueError:
        raise InvalidInput(f"{what}: expected a UUID, found {given!r:.100}") from None


def check_ignored(options: Mapping[str, Any]) -> None:
    """Refuse options that would be missed.

    Raises:
        InvalidTask: there is one.
    """
    for option, value in options.items():
        if option not in _IGNORED and value is not None:
            raise InvalidTask(
                "apply_async: expected args, kwargs, countdown, eta, expires, queue, priority, "
                f"task_id or an option that may be ignored ({', '.join(sorted(_IGNORED))}), found "
                f"{option!r}"
            )
