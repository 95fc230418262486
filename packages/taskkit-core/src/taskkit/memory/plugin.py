"""The plugin: ``memory://`` is a new store, ``memory://name`` the one of this name."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from taskkit.backend import Backend
from taskkit.clock import Clock, SystemClock
from taskkit.errors import InvalidSetting
from taskkit.memory.backend import MemoryBackend
from taskkit.memory.state import Memory
from taskkit.plugins import hookimpl

_SCHEME: Final = "memory://"

# A named store lasts as long as the process, as a file would: who opens it again, finds it again.
_stores: dict[str, Memory] = {}
_lock = threading.Lock()


@hookimpl
def taskkit_open(url: str | None, options: Mapping[str, Any], clock: Clock | None) -> Backend:
    """Open a store of this process."""
    if options:
        raise InvalidSetting(
            f"the memory backend has no options, found {', '.join(sorted(options))}"
        )
    if url is not None and not url.startswith(_SCHEME):
        raise InvalidSetting(f"memory URL: expected 'memory://' or 'memory://name', found {url!r}")
    name = _name(url)
    if not name:
        return MemoryBackend(clock)
    with _lock:
        memory = _stores.get(name)
        if memory is None:
            memory = _stores[name] = Memory(clock or SystemClock())
        elif clock is not None and clock is not memory.clock:
            raise InvalidSetting(f"the store {url!r} is open with another clock")
    return MemoryBackend(memory=memory)


@hookimpl
def taskkit_harness(default: Any) -> Any:
    """Return how the conformance suite is to handle this store."""
    from taskkit.memory.harness import MemoryHarness

    return MemoryHarness(default)


def states(url: str | None) -> dict[str, str]:
    """Return the state of each task of a named store, as it is kept: waiting ones are queued."""
    with _lock:
        memory = _stores.get(_name(url))
    if memory is None:
        return {}
    with memory.lock:
        return {task_id: str(entry.state) for task_id, entry in memory.tasks.items()}


def forget(url: str | None) -> None:
    """Let go of a named store; handles that are open keep it."""
    with _lock:
        _stores.pop(_name(url), None)


def _name(url: str | None) -> str:
    return "" if url is None else url.removeprefix(_SCHEME).strip("/")
