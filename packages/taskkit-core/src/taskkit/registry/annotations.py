"""What a function's annotations mean for its codec."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable
from enum import Flag, auto
from inspect import Parameter
from types import GenericAlias, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    Union,
    Unpack,
    get_args,
    get_origin,
    get_type_hints,
)

from taskkit.errors import InvalidTask


class Content(Flag):
    """What a value of an annotation can hold: more than one of these, for a container."""

    SCALAR = auto()
    """Text, numbers, bools, None: JSON has them, and they come back as they were."""
    LOOSE = auto()
    """Anything: no annotation tells what it was."""
    TYPED = auto()
    """What is told apart from its JSON by the annotation only: dates, bytes, dataclasses …"""


_SCALARS: Final = frozenset({str, int, float, bool, None, type(None)})
_ANYTHING: Final = frozenset({Any, object, Parameter.empty, list, dict, tuple})
_CONTAINERS: Final = frozenset(
    {
        *(list, dict, tuple, Union, UnionType),
        *(abc.Sequence, abc.MutableSequence, abc.Mapping, abc.MutableMapping, abc.Collection),
    }
)


def hints(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Return a function's annotations, evaluated.

    Raises:
        InvalidTask: a name in them is not known in the function's module.
    """
    try:
        return get_type_hints(function, include_extras=True)
    except Exception as error:
        raise InvalidTask(
            f"task {name!r}: its annotations cannot be read ({error}); the names in them must be "
            "importable at run time: define them at module level, and import them outside of "
            "`if TYPE_CHECKING`"
        ) from error


def content(annotation: Any) -> Content:
    """Return what a value of this annotation can hold."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return content(get_args(annotation)[0])
    if origin in _CONTAINERS:
        found = Content(0)
        for argument in get_args(annotation):
            if argument is not Ellipsis:
                found |= content(argument)
        return found
    if origin is Literal or _among(annotation, _SCALARS):
        return Content.SCALAR
    return Content.LOOSE if _among(annotation, _ANYTHING) else Content.TYPED


def _among(annotation: Any, known: frozenset[Any]) -> bool:
    try:
        return annotation in known
    except TypeError:  # not hashable: Annotated and Literal may hold anything
        return False


def wire_type(parameter: Parameter, hints: dict[str, Any]) -> Any:
    """Return the type of what stands under a parameter in the dict of arguments."""
    annotation = hints.get(parameter.name, Any)
    if get_origin(annotation) is Unpack:
        (annotation,) = get_args(annotation)
        if parameter.kind is Parameter.VAR_KEYWORD:
            return annotation
    if parameter.kind is Parameter.VAR_POSITIONAL:
        return GenericAlias(list, (annotation,))
    if parameter.kind is Parameter.VAR_KEYWORD:
        return GenericAlias(dict, (str, annotation))
    return annotation
