"""Unique and lock keys, made of a task's arguments."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from taskkit.errors import InvalidTask
from taskkit.limits import MAX_KEY_LENGTH
from taskkit.registry.options import KeyBy
from taskkit.registry.parameters import Parameters

if TYPE_CHECKING:
    from taskkit.registry.codec import ArgumentCodec

KeyRule: TypeAlias = Callable[["ArgumentCodec", bytes], str | None]
"""From encoded arguments to a key, or to None where the task has none."""

_NAME_IN_DIGEST: Final = MAX_KEY_LENGTH - 65


def key_rule(what: str, by: KeyBy | None, name: str, parameters: Parameters) -> KeyRule | None:
    """Return how ``unique=`` or ``lock=`` of a function makes its keys; None: it has none.

    Raises:
        InvalidTask: ``by`` is of no known kind, or names a parameter that the function has not.
    """
    if by is None or by is False:
        return None
    if by is True:
        return lambda codec, data: readable_key(name, codec.by_name(data))
    if callable(by):
        return lambda codec, data: _called(by, codec, data)
    names: object = (by,) if isinstance(by, str) else by
    if not isinstance(names, tuple) or not names:
        raise InvalidTask(
            f"task {name!r}: {what}: expected True, a parameter's name, a tuple of them or a "
            f"function of the arguments, found {by!r}"
        )
    parameters.require(what, names)

    def selected(codec: ArgumentCodec, data: bytes) -> str:
        values = codec.by_name(data)
        return readable_key(name, {selected: values[selected] for selected in names})

    return selected


def _called(by: Callable[..., str | None], codec: ArgumentCodec, data: bytes) -> str | None:
    args, kwargs = codec.arguments(data)
    return by(*args, **kwargs)


def readable_key(name: str, values: dict[str, Any]) -> str:
    """Return a key that equal names and values always have, and no others.

    It is readable where it is short, so that whoever looks for what holds a task back sees it.
    """
    from taskkit.registry.codec import canonical

    try:
        text = name + canonical(values).decode()
    except TypeError as error:
        raise InvalidTask(f"task {name!r}: no key can be made of its arguments: {error}") from error
    if len(text) <= MAX_KEY_LENGTH and text.isprintable():
        return text
    return f"{name[:_NAME_IN_DIGEST]}#{sha256(text.encode()).hexdigest()}"
