"""Where the Redis benchmarks keep their tasks: a private server with an append-only file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import redis

from taskkit_conformance.servers import Server, obtain

SETTINGS = {"appendonly": "yes", "appendfsync": "everysec"}
"""What an acknowledged task survives by; the same for peers."""


@contextmanager
def server(kind: str = "redis", settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a server, or a cluster, while the block lasts; yields it."""
    found = obtain(kind, {**SETTINGS, **(settings or {})})
    try:
        yield found
    finally:
        found.stop()


def client(url: str) -> redis.Redis:
    """Return a client of the driver's own."""
    return redis.Redis.from_url(url)


def version(url: str) -> str:
    """Return which server this is, and how it writes."""
    with client(url) as asked:
        told: dict[str, Any] = asked.info("server")
        name = f"valkey {told['valkey_version']}" if "valkey_version" in told else "redis"
        written = asked.config_get("append*")
    version = "" if "valkey" in name else f" {told['redis_version']}"
    return f"{name}{version}, appendonly {written['appendonly']}, {written['appendfsync']}"


def commands(url: str) -> dict[str, int]:
    """Return how often each command was executed, those within scripts included."""
    with client(url) as asked:
        told: dict[str, Any] = asked.info("commandstats")
    return {name.removeprefix("cmdstat_"): one["calls"] for name, one in told.items()}
