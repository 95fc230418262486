"""Finding the user's kit by name, and importing the modules in which tasks are defined."""

from __future__ import annotations

import glob
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from taskkit.errors import InvalidSetting

if TYPE_CHECKING:
    from taskkit.kit import Kit

_DEFAULT_NAME: Final = "kit"
_FOREIGN: Final = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__"})
"""Folders whose files are other people's; names that begin with a dot are never visited."""


def load_kit(app: str) -> Kit:
    """Import ``module:attr`` and return the kit there; without ``:attr`` it is ``kit``.

    The attribute may be a function without parameters that returns a kit. The working folder is
    on the search path, as with ``python -m``.

    Raises:
        InvalidSetting: there is no such module or attribute, or it is no kit. An error *inside*
            the module comes through as it is.
    """
    from taskkit.kit import Kit

    search_working_folder()
    name, _, attribute = app.partition(":")
    attribute = attribute or _DEFAULT_NAME
    module = _import_module(name, app)
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise InvalidSetting(
                f"module {name!r} has no {attribute!r}; {_kits_of(module)}"
            ) from None
    if not isinstance(found, Kit) and callable(found):
        found = found()
    if not isinstance(found, Kit):
        raise InvalidSetting(
            f"{app}: expected a Kit, or a function that returns one, found {found!r}; "
            f"{_kits_of(module)}"
        )
    return found


def discover(pattern: str) -> list[str]:
    """Import every Python file that matches a glob, below the working folder; return the modules.

    ``**`` stands for any number of folders. A file in a package is imported as its member, so
    that it is the same module as for those who import it by name.

    Raises:
        InvalidSetting: nothing matches, or a match cannot be imported by any name.
    """
    search_working_folder()
    matches = sorted(
        path
        for path in map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 - keeps "a/../b"
        if path.suffix == ".py" and not _FOREIGN.intersection(path.parts)
        if not any((folder / "pyvenv.cfg").exists() for folder in path.parents)
    )
    if not matches:
        raise InvalidSetting(
            f"expected Python files that match {pattern!r}, found none below {Path.cwd()}"
        )
    names = [_name_of(path.resolve()) for path in matches]
    for name in names:
        importlib.import_module(name)
    return names


def search_working_folder() -> None:
    """Put the working folder first on the search path, unless it is on it already."""
    folder = str(Path.cwd())
    if folder not in sys.path and "" not in sys.path:
        sys.path.insert(0, folder)


def _import_module(name: str, app: str) -> ModuleType:
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise InvalidSetting(
            f"expected an importable name such as 'package.module:kit', found {app!r}"
        )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only if it is this module that is missing; what it imports itself is its own affair.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise InvalidSetting(
            f"no module {error.name!r} can be found from {Path.cwd()} (looking for {app!r}); "
            "start in the folder that holds it, or install it"
        ) from None


def _kits_of(module: ModuleType) -> str:
    from taskkit.kit import Kit

    kits = sorted(name for name, value in vars(module).items() if isinstance(value, Kit))
    if not kits:
        return "there is no Kit in it"
    return "its kits: " + ", ".join(f"{module.__name__}:{name}" for name in kits)


def _name_of(file: Path) -> str:
    """Return the name under which a file is imported."""
    top = file.parent
    while (top / "__init__.py").exists():
        top = top.parent
    # A folder on the search path is where names begin; outside of all, the working folder is,
    # and folders without __init__.py are namespace packages.
    root = top if str(top) in sys.path else Path.cwd()
    parts = file.relative_to(root).with_suffix("").parts if file.is_relative_to(root) else ()
    if parts and parts[-1] == "__init__":
        parts = parts[:-1]
    if not parts or not all(part.isidentifier() for part in parts):
        raise InvalidSetting(f"{file} has no name that could be imported; rename it or its folder")
    return ".".join(parts)
