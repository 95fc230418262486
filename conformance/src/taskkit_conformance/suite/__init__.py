"""The checks: one module for each group of properties and lane, such as ``lea_race``."""

from __future__ import annotations

import pkgutil
from importlib import import_module


def load() -> None:
    """Import every module of checks, so that they are registered."""
    for module in pkgutil.iter_modules(__path__, __name__ + "."):
        import_module(module.name)
