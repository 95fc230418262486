"""Which store and which kit a command is about: options first, then the environment."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskkit.errors import InvalidSetting

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.kit import Kit


@contextmanager
def open_backend(namespace: argparse.Namespace) -> Iterator[Backend]:
    """Open the store that ``--url``, ``--app``, TASKKIT_URL or TASKKIT_APP names, in this order."""
    from taskkit.stores import connect_url

    kit = find_kit(namespace)
    backend = connect_url(namespace.url) if kit is None else kit.backend
    try:
        yield backend
    finally:
        backend.close()


def find_kit(namespace: argparse.Namespace) -> Kit | None:
    """Return the kit, where the store is named by one; None where it is named by a URL."""
    if namespace.url:
        return None
    if namespace.app:
        return load_kit(namespace.app)
    if os.environ.get("TASKKIT_URL"):
        return None
    app = os.environ.get("TASKKIT_APP")
    return load_kit(app) if app else None


def load_kit(app: str) -> Kit:
    """Import the kit that ``module:attribute`` names, the current folder searched first."""
    from taskkit.kit import Kit

    module, separator, attribute = app.partition(":")
    if not separator or not module or not attribute:
        raise InvalidSetting(f"the kit: expected module:attribute, such as shop:kit, found {app!r}")
    found: Any = _import(module)
    for part in attribute.split("."):
        if not hasattr(found, part):
            kits = [name for name, value in vars(found).items() if isinstance(value, Kit)]
            hint = f"; its kits are {', '.join(kits)}" if kits else ""
            raise InvalidSetting(f"{app}: the module {module!r} has no {attribute!r}{hint}")
        found = getattr(found, part)
    if not isinstance(found, Kit):
        raise InvalidSetting(f"{app}: expected a taskkit.Kit, found {type(found).__name__}")
    return found


def _import(module: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(error.name + ".")):
            raise InvalidSetting(
                f"no module {module!r} here or among the installed packages; start taskkit in "
                "the folder that holds it, or set PYTHONPATH"
            ) from error
        raise _broken(module, error) from error
    except Exception as error:  # whatever a user's module raises on import
        raise _broken(module, error) from error


def _broken(module: str, error: Exception) -> InvalidSetting:
    # One line, but with the place: a stack of import machinery would hide it.
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("<frozen")]
    place = f" ({own[-1].filename}, line {own[-1].lineno})" if own[1:] else ""
    return InvalidSetting(
        f"the module {module!r} cannot be imported: {type(error).__name__}: {error}{place}"
    )
