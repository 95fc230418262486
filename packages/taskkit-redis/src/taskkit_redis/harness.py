"""How the conformance suite handles this store: a place is a prefix.

Without a URL a private server is started, a cluster or sentinels by the names of those.
"""

from __future__ import annotations

import atexit
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from taskkit_redis.codec import LETTER_OF
from taskkit_redis.nodes import yield_point
from taskkit_redis.settings import read_settings
from taskkit_redis.store import partitions_of
from taskkit_redis.topology import topology_of

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock


_KINDS: Final = {"redis-cluster": "redis-cluster", "redis-sentinel": "redis-sentinel"}
"""The kind of server to start for a name of the plugin; for all others it is a single one."""


class RedisHarness:
    """A harness (see ``taskkit_conformance.harness``) that builds on the default one."""

    def __init__(self, default: Any) -> None:
        self._default = default
        self._server: Any = None
        """A server of our own, if one was started."""

    def provision(self, url: str | None) -> Any:
        """Return a new prefix on the server that the URL names, or on one of our own."""
        url = url or self._own_server()
        return self._default.provision(url, prefix=f"conf:{secrets.token_hex(6)}")

    def _own_server(self) -> str:
        # Only now: who has no suite has this module, too.
        from taskkit_conformance.servers import obtain

        if self._server is None:
            self._server = obtain(_KINDS.get(self._default.backend, "redis"))
            atexit.register(self._server.stop)
        return str(self._server.url)

    @property
    def restart(self) -> Callable[[Any], None] | None:
        """Kill our own server and start it again; None where there is none."""
        restart = None if self._server is None else self._server.restart
        return None if restart is None else lambda _namespace: restart()

    def open(self, namespace: Any, clock: Clock | None) -> Backend:
        """Return a client with connections of its own."""
        client: Backend = self._default.open(namespace, clock)
        return client

    def wipe(self, namespace: Any, client: Backend) -> None:
        """Remove all keys of the prefix."""
        self._default.wipe(namespace, client)

    def dispose(self, namespace: Any) -> None:
        """Remove all keys of the prefix, the layout too."""
        self._default.dispose(namespace)
        settings = read_settings(namespace.url, namespace.options)
        topology = topology_of(settings)
        for part in partitions_of(settings.prefix, settings.partitions):
            node = topology.node(part.slot)
            node.run([("DEL", f"{part.base}token")])
        topology.close()

    def inspect(self, namespace: Any) -> Mapping[str, str]:
        """Return the state of each task by id, waiting told as queued, by reads of its own."""
        settings = read_settings(namespace.url, namespace.options)
        topology = topology_of(settings)
        names = {letter: state.value for state, letter in LETTER_OF.items()} | {"q": "queued"}
        found: dict[str, str] = {}
        for part in partitions_of(settings.prefix, settings.partitions):
            node = topology.node(part.slot)
            running = set(node.run_one("HKEYS", f"{part.base}running"))
            for task_id in node.run_one("ZRANGE", f"{part.base}ids", 0, -1):
                raw = node.run_one("GET", part.base.encode() + b"t:" + task_id)
                letter = "r" if task_id in running else msgspec.msgpack.decode(raw)[0][0]
                found[task_id.decode()] = names[letter]
        topology.close()
        return found

    @contextmanager
    def transaction(self, namespace: Any) -> Iterator[Any]:
        """Begin a MULTI of the caller; give what ``put`` takes as ``within``."""
        with _client(namespace) as client, client.pipeline(transaction=True) as pipeline:
            yield pipeline
            pipeline.execute()

    @contextmanager
    def yield_points(self, callback: Callable[[], None]) -> Iterator[None]:
        """While the context lasts, call back before every round trip."""
        before, yield_point.callback = yield_point.callback, callback
        try:
            yield
        finally:
            yield_point.callback = before


def _client(namespace: Any) -> redis.Redis:
    """Return a client as a user might have it."""
    server = read_settings(namespace.url, namespace.options).server
    if server.kind == "sentinel":
        untyped: Any = redis.Sentinel
        found: redis.Redis = untyped(server.addresses).master_for(server.service, db=server.db)
        return found
    host, port = server.addresses[0]
    return redis.Redis(host, port, server.db, socket_timeout=5, retry=Retry(NoBackoff(), 0))
