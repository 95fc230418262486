"""Where an actor lets another one go on: at each source line of the backend.

What counts as the backend's source: the packages of its classes, and any code that belongs
neither to Python, nor to installed packages, nor to taskkit itself (a wrapper in a test folder).
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any, Final

import taskkit

# Both spellings, because code knows its file by the path that it was found under.
_STDLIB: Final = tuple(
    f"{folder}/"
    for path in (Path(str(sysconfig.get_path("stdlib"))),)
    for folder in {path, path.resolve()}
)
_FOREIGN: Final = tuple(
    f"{folder}/"
    for path in (
        *(
            Path(sysconfig.get_path(name))
            for name in ("stdlib", "platstdlib", "purelib", "platlib")
        ),
        Path(str(taskkit.__file__)).parent,
        Path(__file__).parent,
    )
    for folder in {path, path.resolve()}
)


class Sources:
    """The code of a backend."""

    def __init__(self, *backends: object) -> None:
        self._own = tuple({place for backend in backends for place in _places(type(backend))})
        self._known: dict[CodeType, bool] = {}
        self._modules: tuple[int, list[ModuleType]] = (0, [])

    def __contains__(self, code: CodeType) -> bool:
        known = self._known.get(code)
        if known is None:
            known = self._known[code] = self.has_file(code.co_filename)
        return known

    def has_file(self, name: str | None) -> bool:
        """Return whether a file is part of the backend."""
        if not name or name.startswith("<"):
            return False
        return name.startswith(self._own) or not name.startswith(_FOREIGN)

    def modules(self) -> list[ModuleType]:
        """Return the modules of the backend that have been imported."""
        if self._modules[0] != len(sys.modules):
            found = list(sys.modules.items())
            self._modules = len(found), [module for name, module in found if self.has_module(name)]
        return self._modules[1]

    def has_module(self, name: str) -> bool:
        """Return whether a module is part of the backend."""
        return self.has_file(getattr(sys.modules.get(name), "__file__", None))


def _places(kind: type) -> Iterator[str]:
    """Return the folders of the packages, or the files, that a class and its bases are from."""
    for base in kind.__mro__:
        module = sys.modules.get(base.__module__)
        file = getattr(module, "__file__", None)
        if module is None or file is None or module.__package__ in ("taskkit", __package__):
            continue
        if not module.__package__:
            yield file
            continue
        top = base.__module__.partition(".")[0]
        if top != "taskkit":
            file = getattr(sys.modules[top], "__file__", None) or file
        if not file.startswith(_STDLIB):
            yield f"{Path(file).parent}/"


@contextmanager
def lines(sources: Sources, point: Callable[[], None]) -> Iterator[None]:
    """While the context lasts, call ``point`` before each line of the sources on this thread.

    ``sys.settrace`` is there in every version and belongs to one thread; ``sys.monitoring`` would
    slow down every thread of the process, and gain little where nearly every line counts.
    """

    def on_line(_frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "line":
            point()
        return on_line

    def on_call(frame: FrameType, _event: str, _arg: Any) -> Any:
        return on_line if frame.f_code in sources else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield
    finally:
        sys.settrace(before)
