"""Plugins: what they can implement, and how they are found.

Two groups of entry points. ``taskkit.backends``: each entry is a store, under its name and under
the URL schemes it owns; only the one that is asked for is imported. ``taskkit.plugins``: each
entry listens to tasks and workers (``HookSpec``); all are loaded, or those that ``TASKKIT_PLUGINS``
names (comma separated; empty: none). Entry points are read by hand because pluggy's own loader
imports a whole group at once, and one broken foreign plugin would harm everybody.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

import pluggy

from taskkit.errors import BrokenPlugin, InvalidSetting

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock
    from taskkit.records import Claim, PutResult, WorkerInfo
    from taskkit.task import Failure, Instant, NewTask

PROJECT: Final = "taskkit"
BACKEND_GROUP: Final = "taskkit.backends"
HOOK_GROUP: Final = "taskkit.plugins"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

_log = logging.getLogger("taskkit.plugins")


class BackendSpec:
    """What a backend's plugin implements."""

    @hookspec(firstresult=True)
    def taskkit_open(
        self, url: str | None, options: Mapping[str, Any], clock: Clock | None
    ) -> Backend:
        """Return a backend. It connects when it is first used, not here.

        Raises:
            InvalidSetting: the URL or an option is not understood.
        """
        raise NotImplementedError  # a specification, never called

    @hookspec(firstresult=True)
    def taskkit_harness(self, default: Any) -> Any:
        """Return how the conformance suite is to handle this store; optional.

        ``default`` is a ``taskkit_conformance.harness.DefaultHarness`` to build upon, and what is
        returned a ``Harness`` of that module. Only the suite calls this.
        """


class HookSpec:
    """What a plugin that listens may implement: any of these, sync or ``async def``.

    An exception of a hook is logged and harms nobody, except in ``taskkit_enqueue``, where it
    refuses the task, and in ``taskkit_handling``, where it is the attempt's.
    """

    @hookspec
    def taskkit_enqueue(self, task: NewTask) -> NewTask | None:
        """Called before a task is put: return another in its place, or None to leave it."""

    @hookspec
    def taskkit_enqueued(self, task: NewTask, put: PutResult) -> None:
        """Called after a task was put (within a caller's transaction: before its commit)."""

    @hookspec
    def taskkit_handling(
        self, claim: Claim
    ) -> AbstractContextManager[Any] | AbstractAsyncContextManager[Any] | None:
        """Return a context manager to be entered around the handling of this claim.

        It sees the exception that the handling raises, and must not swallow it.
        """

    @hookspec
    def taskkit_success(self, claim: Claim) -> None:
        """Called when an attempt succeeded, before that is settled."""

    @hookspec
    def taskkit_retry(self, claim: Claim, failure: Failure, due: Instant | None) -> None:
        """Called when an attempt failed and will be retried, before that is settled."""

    @hookspec
    def taskkit_failure(self, claim: Claim, failure: Failure) -> None:
        """Called when an attempt failed for good, before that is settled."""

    @hookspec
    def taskkit_worker_start(self, info: WorkerInfo) -> None:
        """Called when a worker has registered, before it claims."""

    @hookspec
    def taskkit_worker_stop(self, info: WorkerInfo) -> None:
        """Called when a worker has settled everything, before it retires."""


def backend_entries() -> dict[str, EntryPoint]:
    """Return the installed entry points of backends, by name or scheme, without importing any."""
    return dict(_backend_entries(tuple(sys.path)))


@lru_cache(maxsize=8)
def _backend_entries(_path: tuple[str, ...]) -> Mapping[str, EntryPoint]:
    # Looking through all installed packages takes 15 ms; what they are only changes with the path.
    return {entry.name: entry for entry in entry_points(group=BACKEND_GROUP)}


def load_backend(entry: EntryPoint) -> Any:
    """Import one backend's plugin and return the callers of its hooks.

    Raises:
        BrokenPlugin: it cannot be imported, misspells a hook, or cannot open anything.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(BackendSpec)
    try:
        manager.register(entry.load(), entry.name)
        manager.check_pending()
    except Exception as error:  # whatever foreign code raises on import
        raise BrokenPlugin(
            f"the backend plugin {entry.name!r} ({entry.value}) cannot be loaded: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not manager.hook.taskkit_open.get_hookimpls():
        raise BrokenPlugin(
            f"the backend plugin {entry.name!r} ({entry.value}) implements no taskkit_open; "
            "see docs/writing-a-backend.md"
        )
    return manager.hook


def hook_manager(plugins: tuple[object, ...]) -> pluggy.PluginManager:
    """Return a manager with the given plugins and the installed ones.

    Raises:
        InvalidSetting: a given plugin misspells a hook. An installed one is logged and left out.
    """
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(HookSpec)
    for plugin in plugins:
        try:
            manager.register(plugin)
            manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise InvalidSetting(f"the plugin {plugin!r} cannot be used: {error}") from error
    for entry in _wanted_hooks():
        try:
            manager.register(entry.load(), entry.name)
            manager.check_pending()
        except Exception:  # noqa: BLE001 - a broken foreign plugin must not stop the worker
            manager.unregister(name=entry.name)
            _log.exception(
                "plugin %r (%s) cannot be loaded and is left out", entry.name, entry.value
            )
    return manager


def _wanted_hooks() -> list[EntryPoint]:
    wanted = os.environ.get("TASKKIT_PLUGINS")
    names = None if wanted is None else {name.strip() for name in wanted.split(",")}
    return [e for e in entry_points(group=HOOK_GROUP) if names is None or e.name in names]
