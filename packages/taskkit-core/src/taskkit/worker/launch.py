"""What a worker process is told at birth, and how it finds the user's kit.

The kit travels as a reference (``module:attr``, by the command line) or pickled (by ``Kit.start``
in a program). A pickle names classes by module, and the classes of the program itself are in
``__main__``; so the new process runs the program once more, under the name ``__mp_main__``, as the
standard library's ``multiprocessing`` does, and lets ``__main__`` stand for it.

A program without an ``if __name__ == "__main__":`` guard would start workers again there, and put
its tasks again. Therefore the methods of ``Kit`` that put tasks or start workers call
``stop_import_here`` first: it ends that run of the program on the spot. What was defined above the
first such call exists in the workers; what stands below is not reached, and need not be.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from taskkit.errors import InvalidSetting, TaskkitError

if TYPE_CHECKING:
    from taskkit.kit import Kit

QUIET: Final = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""Signals that are held back while a process starts: until then nobody answers them."""

# Module state, because the program that is being imported knows nothing of this launch, and the
# call that has to stop comes from deep inside it.
_importing_main = False


class _ImportStopped(SystemExit):
    """Ends the import of the program. A ``SystemExit``: threads and event loops pass it on."""


def importing_main() -> bool:
    """Return whether this is a worker's process that is just importing the main program."""
    return _importing_main


def stop_import_here() -> None:
    """Do nothing, unless a worker's process is importing the main program: then stop that."""
    if _importing_main:
        raise _ImportStopped


@dataclass(frozen=True, slots=True)
class KitReference:
    """A kit by name, for processes that need not load it themselves."""

    app: str
    """``module:attr``."""
    discover: str | None = None
    """Glob of further modules to import, such as ``**/tasks.py``."""


@dataclass(frozen=True, slots=True)
class MainProgram:
    """The program to import as ``__mp_main__``: by module name (``python -m``) or by path."""

    name: str | None
    path: str | None


@dataclass(frozen=True, slots=True)
class Payload:
    """All that a fresh interpreter is told before it can load the kit."""

    folder: str
    search_path: tuple[str, ...]
    arguments: tuple[str, ...]
    python_path: str | None
    """``PYTHONPATH`` as the user set it."""
    main: MainProgram | None
    kit: bytes | KitReference
    log_level: str | None


def describe(kit: Kit | KitReference, log_level: str | None = None) -> Payload:
    """Return the payload for processes that serve this kit.

    Raises:
        InvalidSetting: the kit cannot be sent, or other processes could not find its handler.
    """
    from pathlib import Path

    main = None if isinstance(kit, KitReference) else main_program()
    return Payload(
        folder=str(Path.cwd()),
        search_path=tuple(str(Path(entry).absolute()) for entry in sys.path),
        arguments=tuple(sys.argv),
        python_path=os.environ.get("PYTHONPATH"),
        main=main,
        kit=kit if isinstance(kit, KitReference) else _pack_kit(kit, main),
        log_level=log_level,
    )


def pack(what: str, value: object) -> bytes:
    """Return ``value`` pickled.

    Raises:
        InvalidSetting: it cannot be pickled; ``what`` names it.
    """
    import pickle  # noqa: TID251 - the user's own objects, from the program to itself

    try:
        return pickle.dumps(value)
    except TaskkitError:
        raise
    except Exception as error:
        raise InvalidSetting(
            f"{what} cannot be sent to worker processes: {error}. Define handler classes, task "
            "functions and schedules at the top level of a module, not inside a function and not "
            "as a lambda; keep connections and locks out of the handler, or start the workers by "
            "reference: taskkit worker module:kit"
        ) from error


def unpack(packed: bytes) -> Any:
    """Return what ``pack`` was given."""
    import pickle  # noqa: TID251 - as in pack

    return pickle.loads(packed)  # noqa: S301 - comes over a socket from the program itself


def _pack_kit(kit: Kit, main: MainProgram | None) -> bytes:
    packed = pack("the kit", kit)
    # A name in a pickle is literal text, so that this finds every class of the main program.
    if main is None and b"__main__" in packed:
        raise InvalidSetting(
            "the handler is defined in a main program that is no importable file (an interactive "
            "session, `python -c`, or a package's __main__.py), so that worker processes cannot "
            "find it. Put it into a module, or use kit.running(), which works in this process"
        )
    return packed


def main_program() -> MainProgram | None:
    """Return the program that this process runs, or None where there is none to import."""
    from pathlib import Path

    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    path = getattr(main, "__file__", None)
    if spec is not None and spec.name != "__main__":
        # `python -m package` runs a file that is made to be run, not to define things.
        return None if spec.name.endswith(".__main__") else MainProgram(spec.name, path)
    if path is None or not Path(path).is_file():
        return None
    return MainProgram(None, str(Path(path).absolute()))


def settle_in(payload: Payload) -> None:
    """Make this fresh interpreter find what the program that started it finds."""
    os.chdir(payload.folder)
    sys.path[:] = payload.search_path
    sys.argv[:] = payload.arguments
    if payload.python_path is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = payload.python_path


def ignore_terminal() -> None:
    """Leave Ctrl-C and hang-up to the supervisor, which decides for all its processes.

    Ignored, not handled, so that the programs that tasks start inherit it: a graceful stop must
    not cut them off under a running task.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # The supervisor starts its processes with these held back, see launcher.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, QUIET)


def why(error: BaseException) -> tuple[str, str]:
    """Return an error as one line, and its traceback where that tells more than the line."""
    import traceback

    if isinstance(error, TaskkitError):
        return str(error), ""
    line = "".join(traceback.format_exception_only(error)).strip()
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen")  # the machinery of imports
    ]
    place = f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    return line + place, "".join(traceback.format_exception(error))


def load(payload: Payload) -> Kit:
    """Import the program and return its kit. Whatever the user's code raises comes through."""
    if payload.log_level is not None:
        _configure_logging(payload.log_level)
    if isinstance(payload.kit, KitReference):
        from taskkit.worker.discovery import discover, load_kit

        kit = load_kit(payload.kit.app)
        if payload.kit.discover is not None:
            discover(payload.kit.discover)
    else:
        if payload.main is not None:
            import_main(payload.main)
        kit = unpack(payload.kit)
    _warn_at_least()
    if not kit.backend.capabilities().shared:
        raise InvalidSetting(
            f"the {kit.backend.capabilities().name!r} backend lives in one process, so that worker "
            "processes would not see its tasks; use kit.running(), or a store such as SQLite"
        )
    return kit


def import_main(main: MainProgram) -> None:
    """Run the program again, as ``__mp_main__``, for what it defines."""
    global _importing_main  # noqa: PLW0603 - see its definition
    module = ModuleType("__mp_main__")
    code = _code_of(main, module)
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module
    _importing_main = True
    try:
        # Not runpy: of a program that is stopped half-way it would throw away the first half.
        exec(code, module.__dict__)  # noqa: S102 - the user's own program
    except SystemExit:
        pass
    finally:
        _importing_main = False


def _code_of(main: MainProgram, module: ModuleType) -> Any:
    if main.name is not None:
        from importlib.util import find_spec

        spec = find_spec(main.name)
        get_code = getattr(spec.loader, "get_code", None) if spec is not None else None
        if spec is not None and get_code is not None:
            module.__spec__ = spec
            module.__file__ = spec.origin
            module.__package__ = spec.parent
            return get_code(main.name)
    assert main.path is not None
    module.__file__ = main.path
    with io.open_code(main.path) as file:
        return compile(file.read(), main.path, "exec")


def _configure_logging(level: str) -> None:
    import logging

    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(process)d %(name)s %(message)s"
    )


def _warn_at_least() -> None:
    """Where the program set up no logging, show warnings on stderr."""
    import logging

    if not logging.getLogger().handlers:
        logging.basicConfig(level=logging.WARNING)
