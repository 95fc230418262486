"""The plugin that ``taskkit.connect`` finds under the name or the scheme of a URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from taskkit.plugins import hookimpl

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.clock import Clock


@hookimpl
def taskkit_open(url: str | None, options: Mapping[str, Any], clock: Clock | None) -> Backend:
    """Return a backend for the URL; nothing is connected before its first use."""
    from taskkit_redis.backend import RedisBackend

    return RedisBackend.of(url, options, clock)


@hookimpl
def taskkit_harness(default: Any) -> Any:
    """Return how the conformance suite is to handle this store."""
    from taskkit_redis.harness import RedisHarness

    return RedisHarness(default)
