"""What the suite needs from whoever offers a backend; the default needs only its plugin.

A plugin may implement the hook ``taskkit_harness`` (see ``HarnessSpec``) to say more: how to make
an empty place, how to restart the store, how to look into it without the backend.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from taskkit.backend import Backend
from taskkit.clock import Clock
from taskkit.stores import connect

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Namespace:
    """An isolated place in a store. Plain strings only: spawned processes get just this."""

    backend: str
    """The plugin's name."""
    url: str | None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Passed to the plugin: a prefix, a schema …"""


class Harness(Protocol):
    """How the suite handles one backend. The last three are None where that cannot be done."""

    def provision(self, url: str | None) -> Namespace:
        """Return an empty, isolated place in the store."""
        ...

    def open(self, namespace: Namespace, clock: Clock | None) -> Backend:
        """Return a fresh, independent client; called in every thread and process."""
        ...

    def wipe(self, namespace: Namespace, client: Backend) -> None:
        """Make the place empty, fast: it happens between generated examples."""
        ...

    def dispose(self, namespace: Namespace) -> None:
        """Remove the place."""
        ...

    restart: Callable[[Namespace], None] | None
    """Kill the store without ceremony and start it again."""
    inspect: Callable[[Namespace], Mapping[str, str]] | None
    """Return the state of each task by id, read past the backend."""
    yield_points: Callable[[Callable[[], None]], AbstractContextManager[None]] | None
    """While the context lasts, call back at every round trip to the store."""


class DefaultHarness:
    """A harness made of the backend's plugin alone."""

    def __init__(self, backend: str, options: Mapping[str, Any] | None = None) -> None:
        self._backend = backend
        self._options = dict(options or {})
        self.restart: Callable[[Namespace], None] | None = None
        self.inspect: Callable[[Namespace], Mapping[str, str]] | None = None
        self.yield_points: (
            Callable[[Callable[[], None]], AbstractContextManager[None]] | None
        ) = None

    def provision(self, url: str | None) -> Namespace:
        """Return the place that the URL names."""
        return Namespace(self._backend, url, self._options)

    def open(self, namespace: Namespace, clock: Clock | None) -> Backend:
        """Return a client from the plugin."""
        return connect(namespace.backend, url=namespace.url, clock=clock, **namespace.options)

    def wipe(self, namespace: Namespace, client: Backend) -> None:
        """Clear the store."""
        client.clear()

    def dispose(self, namespace: Namespace) -> None:
        """Clear the store."""
        client = self.open(namespace, None)
        client.clear()
        client.close()
