"""How the conformance suite handles this store: each place is a named store of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from taskkit.memory import plugin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from taskkit.backend import Backend
    from taskkit.clock import Clock


class MemoryHarness:
    """A harness (see ``taskkit_conformance.harness``) that builds on the default one."""

    restart = None  # the store ends with its process
    yield_points = None  # lines of Python are finer
    transaction = None

    def __init__(self, default: Any) -> None:
        self._default = default

    def provision(self, url: str | None) -> Any:
        """Return a new store, unless the URL names one."""
        return self._default.provision(url or "memory://{namespace}")

    def open(self, namespace: Any, clock: Clock | None) -> Backend:
        """Return another handle on the store."""
        client: Backend = self._default.open(namespace, clock)
        return client

    def wipe(self, namespace: Any, client: Backend) -> None:
        """Clear the store."""
        self._default.wipe(namespace, client)

    def inspect(self, namespace: Any) -> Mapping[str, str]:
        """Return the state of each task by id, waiting told as queued, read from the store."""
        return plugin.states(namespace.url)

    def dispose(self, namespace: Any) -> None:
        """Forget the store."""
        plugin.forget(namespace.url)
