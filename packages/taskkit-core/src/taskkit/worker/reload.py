"""Replacing workers whenever a Python file changes: for development."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from taskkit.errors import InvalidSetting

_log = logging.getLogger("taskkit.reload")


@contextmanager
def watching(changed: Callable[[], None]) -> Iterator[None]:
    """Call ``changed``, in a thread, when a ``*.py`` file below the working folder changes.

    Hidden folders, virtual environments and caches are left out. Where the system cannot tell of
    changes (network folders, some containers), set ``WATCHFILES_FORCE_POLLING``.

    Raises:
        InvalidSetting: watchfiles is not installed.
    """
    try:
        from watchfiles import PythonFilter, watch
    except ImportError as error:
        raise InvalidSetting(
            "--reload needs the package watchfiles: pip install 'taskkit-core[reload]'"
        ) from error
    stop = threading.Event()

    def look() -> None:
        for changes in watch(Path.cwd(), watch_filter=PythonFilter(), stop_event=stop):
            _log.info("%d files changed, %s among them", len(changes), min(changes)[1])
            changed()

    thread = threading.Thread(target=look, name="taskkit reload", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
