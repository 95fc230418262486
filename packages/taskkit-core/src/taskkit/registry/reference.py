"""How other processes find what was defined in this one: by module and name, as functions are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from taskkit.errors import InvalidSetting

if TYPE_CHECKING:
    from taskkit.registry.registry import TaskRegistry

_MAIN: Final = ("__main__", "__mp_main__")
"""The program's own module, as it is called in its first process and in its children."""


def default_name(function: Callable[..., Any]) -> str:
    """Return ``module.qualname``, the name of a task whose author gave none.

    What the program itself defines is named by its file, ``app.send`` for ``python app.py``: the
    name it has where ``app`` is imported, so that ``taskkit worker app:kit`` knows its tasks.
    """
    module = function.__module__
    if module in _MAIN:
        module = _program(getattr(function, "__globals__", {})) or "__main__"
    return f"{module}.{function.__qualname__}"


def _program(main: dict[str, Any]) -> str | None:
    spec = main.get("__spec__")
    if spec is not None:  # python -m package.module
        return str(spec.name)
    file = main.get("__file__")
    return Path(file).stem if file else None


def reference(registry: TaskRegistry) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    """Return where a registry is found: module, attributes, modules to import, task names.

    Raises:
        InvalidSetting: it is empty, or it or one of its functions is not at module level.
    """
    functions = registry.functions
    if not functions:
        raise InvalidSetting(
            "this registry has no tasks, so worker processes could not do anything: import the "
            "modules that define its tasks before starting workers"
        )
    local = [name for name, task in functions.items() if "<locals>" in task.__qualname__]
    if local:
        raise InvalidSetting(
            f"worker processes cannot find the tasks {', '.join(local)}, which are defined inside "
            "functions: define them at module level"
        )
    modules = tuple(dict.fromkeys(_importable(task.__module__) for task in functions.values()))
    for module, attributes in _places(registry, modules):
        return module, attributes, modules, tuple(functions)
    raise InvalidSetting(
        "worker processes cannot find this registry: assign it to a variable at module level, "
        "such as tasks = TaskRegistry()"
    )


def _places(registry: TaskRegistry, modules: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    # The modules of its functions first: they are known to be importable.
    for name in (*modules, *sys.modules):
        for attribute, value in list(getattr(sys.modules.get(name), "__dict__", {}).items()):
            if value is registry:
                yield _importable(name), attribute
    for task in registry.functions.values():
        if task.registry is registry:
            yield _importable(task.__module__), f"{task.__qualname__}.registry"


def _importable(module: str) -> str:
    return "__main__" if module in _MAIN else module


def find_registry(
    module: str, attributes: str, modules: tuple[str, ...], names: tuple[str, ...]
) -> TaskRegistry:
    """Import a registry and the modules of its tasks; the inverse of ``reference``.

    Raises:
        InvalidSetting: importing them defined fewer tasks than the first process has.
    """
    for name in modules:
        import_module(name)
    registry: TaskRegistry = attrgetter(attributes)(import_module(module))
    missing = [name for name in names if name not in registry.functions]
    if missing:
        raise InvalidSetting(
            f"the registry {module}.{attributes} lacks the tasks {', '.join(missing)} in this "
            "process: they are not defined by importing a module, but by what the first process "
            "did later"
        )
    return registry
