"""The plugin that ``taskkit.connect`` finds under ``sql`` and the schemes of URLs."""

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
    from taskkit_sql.opening import open_backend

    return open_backend(url, clock=clock, **options)


@hookimpl
def taskkit_harness(default: Any) -> Any:
    """Return how the conformance suite is to handle this store."""
    from taskkit_sql.harness import SqlHarness

    return SqlHarness(default)
