"""Frozen dataclasses, made in a fraction of the time.

The ``__init__`` of a frozen dataclass has to go around its own ``__setattr__``, once for each
field, and a task has twenty. For what is made of every task that is put, claimed or settled that
is worth avoiding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, field, fields, make_dataclass
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def maker(frozen: Callable[P, T]) -> Callable[P, T]:
    """Return what makes the same instances as calling a frozen dataclass with slots does.

    Each is made thawed, as one of a class that has the same slots and may be written to, and then
    told its real class, as Python permits between two such classes. The class may have no
    ``__post_init__``: nothing would call it.
    """
    kept: Any = frozen
    assert not hasattr(kept, "__post_init__"), f"{kept.__name__}.__post_init__ would not be called"
    twin: Any = make_dataclass(
        kept.__name__, [(each.name, each.type, _copy(each)) for each in fields(kept)], slots=True
    )

    def make(*values: P.args, **named: P.kwargs) -> T:
        made: Any = twin(*values, **named)
        made.__class__ = kept
        found: T = made
        return found

    return make


def _copy(of: Any) -> Any:
    if of.default_factory is not MISSING:
        return field(default_factory=of.default_factory)
    return field(default=of.default) if of.default is not MISSING else field()
