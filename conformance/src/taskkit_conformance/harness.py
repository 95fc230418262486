"""What the suite needs from whoever offers a backend; the default needs only its plugin.

A plugin may implement the hook ``taskkit_harness(default)`` to say more: how to make an empty
place, how to restart the store, how to look into it without the backend. It gets the default
harness, to build upon, and so needs nothing of this package.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from taskkit.backend import Backend
from taskkit.clock import Clock
from taskkit.stores import backend_hooks, connect

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
    """How the suite handles one backend. The last four are None where that cannot be done."""

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
    transaction: Callable[[Namespace], AbstractContextManager[object]] | None
    """Begin a transaction as a caller of ``put`` would, and give what ``within`` takes; it commits
    at the end of the context, and rolls back when that is left by an error."""


class DefaultHarness:
    """A harness made of the backend's plugin alone.

    ``{namespace}`` in the URL or in an option stands for a new random name, so that several places
    can be made; without it there is just the one place that the URL names.
    """

    restart: Callable[[Namespace], None] | None = None
    inspect: Callable[[Namespace], Mapping[str, str]] | None = None
    yield_points: Callable[[Callable[[], None]], AbstractContextManager[None]] | None = None
    transaction: Callable[[Namespace], AbstractContextManager[object]] | None = None

    def __init__(self, backend: str, options: Mapping[str, Any] | None = None) -> None:
        self.backend = backend
        self.options = dict(options or {})

    def provision(self, url: str | None, **options: Any) -> Namespace:
        """Return the place that the URL and the options name."""
        name = f"conformance_{secrets.token_hex(6)}"
        chosen = {**self.options, **options}
        return Namespace(
            self.backend,
            _named(url, name),
            {key: _named(value, name) for key, value in chosen.items()},
        )

    def open(self, namespace: Namespace, clock: Clock | None) -> Backend:
        """Return a client from the plugin."""
        return connect(namespace.backend, url=namespace.url, clock=clock, **namespace.options)

    def wipe(self, namespace: Namespace, client: Backend) -> None:  # noqa: ARG002 - others need it
        """Clear the store."""
        client.clear()

    def dispose(self, namespace: Namespace) -> None:
        """Clear the store."""
        client = self.open(namespace, None)
        try:
            client.clear()
        finally:
            client.close()


def harness_of(backend: str, options: Mapping[str, Any] | None = None) -> Harness:
    """Return the harness that the plugin of this backend offers, or the default one.

    Raises:
        UnknownBackend: nothing of this name is installed.
        BrokenPlugin: its plugin cannot be imported.
    """
    default = DefaultHarness(backend, options)
    offered: Harness | None = backend_hooks(backend).taskkit_harness(default=default)
    return default if offered is None else offered


def _named(value: Any, name: str) -> Any:
    return value.replace("{namespace}", name) if isinstance(value, str) else value
