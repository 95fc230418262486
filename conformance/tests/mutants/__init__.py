"""The suite is itself proven: each mutant is one small fault that a named property has to find."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from mutants.mutant import MUTANTS, Mutant

_OTHERS = ("mutant", "matrix", "groups", "killing", "show")


def all_mutants() -> list[Mutant]:
    """Return the whole table, by number."""
    for module in pkgutil.iter_modules(__path__):
        if module.name not in _OTHERS:
            import_module(f"{__name__}.{module.name}")
    return sorted(MUTANTS, key=lambda each: each.number)
