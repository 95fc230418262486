"""How the conformance suite handles this store: a place is a prefix."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from taskkit_redis.codec import LETTER_OF
from taskkit_redis.nodes import YieldPoint
from taskkit_redis.settings import read_settings
from taskkit_redis.store import partitions_of
from taskkit_redis.topology import topology_of

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock


class RedisHarness:
    """A harness (see ``taskkit_conformance.harness``) that builds on the default one."""

    restart = None  # whoever started the server can restart it

    def __init__(self, default: Any) -> None:
        self._default = default

    def provision(self, url: str | None) -> Any:
        """Return a new prefix on the server that the URL names."""
        url = url or "redis://localhost:6379/0"
        return self._default.provision(url, prefix=f"conf:{secrets.token_hex(6)}")

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
        settings = read_settings(namespace.url, namespace.options)
        host, port = settings.server.addresses[0]
        options: dict[str, Any] = {"host": host, "port": port, "db": settings.server.db}
        client = redis.Redis(**options, socket_timeout=5, retry=Retry(NoBackoff(), 0))
        with client, client.pipeline(transaction=True) as pipeline:
            yield pipeline
            pipeline.execute()

    @contextmanager
    def yield_points(self, callback: Callable[[], None]) -> Iterator[None]:
        """While the context lasts, call back before every round trip."""
        before, YieldPoint.callback = YieldPoint.callback, callback
        try:
            yield
        finally:
            YieldPoint.callback = before
