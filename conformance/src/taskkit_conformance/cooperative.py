"""Locks and sleeps of a backend that let other actors go on instead of blocking the run.

Without this an actor that waits for a lock would only be noticed after 20 ms. The cooperative lock
wraps the backend's own one, so that whoever has the original still excludes, and is excluded by,
whoever has the wrapper; on threads that are no actors it does nothing else.
"""

from __future__ import annotations

import importlib
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Final

from taskkit import clock
from taskkit_conformance.interleave import here
from taskkit_conformance.yields import Sources

_LOCK: Final = threading.Lock
_RLOCK: Final = threading.RLock
_SLEEP: Final = clock.sleep
_KINDS: Final = (type(_LOCK()), type(_RLOCK()))
_DEEPEST: Final = 6


class CooperativeLock:
    """A lock of a backend, seen by the scheduler."""

    __slots__ = ("__weakref__", "_real", "owner")

    def __init__(self, real: Any) -> None:
        self._real = real
        self.owner: object | None = None
        """The actor that holds it, if one does."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Acquire it; while it is taken other actors go on."""
        actor = here()
        if actor is None:
            return bool(self._real.acquire(blocking, timeout))
        if actor.left:
            return bool(self._real.acquire(timeout=1.0))
        actor.run.edge(lock=True)
        while not self._real.acquire(blocking=False):
            if not blocking:
                return False
            if timeout >= 0:
                # Nobody waits in this lane: when others have had their turn, time is up.
                return actor.run.rest() and bool(self._real.acquire(blocking=False))
            actor.run.rest(self)
        self.owner = actor
        actor.locks += 1
        return True

    def release(self) -> None:
        """Release it."""
        owner = here()
        if owner is None:
            self.owner = None
            self._real.release()
            return
        self.owner = None
        owner.locks = max(0, owner.locks - 1)
        self._real.release()
        owner.run.released(self)

    __enter__ = acquire

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


_known: weakref.WeakValueDictionary[int, CooperativeLock] = weakref.WeakValueDictionary()


def _wrap(real: Any) -> CooperativeLock:
    # The wrapper keeps the lock alive, so the id stays its own.
    found = _known.get(id(real))
    if found is None:
        found = _known[id(real)] = CooperativeLock(real)
    return found


_adopted: weakref.WeakValueDictionary[int, object] = weakref.WeakValueDictionary()


def adopt(root: object, sources: Sources) -> None:
    """Make the locks of a client, and of the backend's objects that it holds, cooperative."""
    if _adopted.get(id(root)) is root:
        return
    with suppress(TypeError):  # one that cannot be referred to weakly is looked through each time
        _adopted[id(root)] = root
    seen: set[int] = set()
    level: list[object] = [root]
    for _ in range(_DEEPEST):
        inner: list[object] = []
        for found in level:
            if id(found) not in seen:
                seen.add(id(found))
                inner += _adopt_one(found, sources)
        level = inner


def _adopt_one(found: object, sources: Sources) -> Iterator[object]:
    for name in _names(found):
        value = getattr(found, name, None)
        if type(value) in _KINDS:
            object.__setattr__(found, name, _wrap(value))
        elif isinstance(value, threading.Condition):
            _adopt_condition(value)
        elif isinstance(value, dict):
            yield from (one for one in list(value.values())[:50] if _is_ours(one, sources))
        elif isinstance(value, list | tuple):
            yield from (one for one in value[:50] if _is_ours(one, sources))
        elif _is_ours(value, sources):
            yield value


def _names(found: object) -> list[str]:
    names = list(getattr(found, "__dict__", ()))
    for base in type(found).__mro__:
        slots = base.__dict__.get("__slots__", ())
        names += [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if not name.startswith("__")]


def _is_ours(value: object, sources: Sources) -> bool:
    return not isinstance(value, type) and sources.has_module(type(value).__module__)


def _adopt_condition(condition: Any) -> None:
    real = condition._lock  # noqa: SLF001 - there is no other way to its lock
    if type(real) is _KINDS[0]:
        lock = _wrap(real)
        condition._lock = lock  # noqa: SLF001 - see above
        condition.acquire, condition.release = lock.acquire, lock.release


@contextmanager
def cooperating(sources: Sources) -> Iterator[None]:
    """While the context lasts, locks that the backend makes, and its sleeps, are cooperative."""
    replaced = {
        id(_LOCK): _factory(_LOCK, sources),
        id(_RLOCK): _factory(_RLOCK, sources),
        id(_SLEEP): _sleep,
    }
    undo: list[tuple[Any, str, Any]] = []
    for module in (*sources.modules(), threading, clock, importlib.import_module("time")):
        for name, value in list(vars(module).items()):
            if id(value) in replaced:
                undo.append((module, name, value))
                setattr(module, name, replaced[id(value)])
    try:
        yield
    finally:
        for module, name, value in undo:
            setattr(module, name, value)


def _factory(make: Callable[[], Any], sources: Sources) -> Callable[[], Any]:
    def made() -> Any:
        caller = sys._getframe(1).f_code  # noqa: SLF001 - the documented way to know the caller
        return _wrap(make()) if caller in sources else make()

    return made


def _sleep(seconds: float) -> None:
    actor = here()
    if actor is None or actor.left:
        _SLEEP(seconds)
    elif not actor.run.rest():
        _SLEEP(min(seconds, 0.001))
