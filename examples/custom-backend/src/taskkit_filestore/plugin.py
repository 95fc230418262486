"""The plugin: ``filestore:///a/folder`` is the store in that folder, made when it is first used."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taskkit.backend import Backend
from taskkit.clock import Clock
from taskkit.errors import InvalidSetting
from taskkit.plugins import hookimpl
from taskkit_filestore.backend import FileBackend

_SCHEME = "filestore://"


@hookimpl
def taskkit_open(url: str | None, options: Mapping[str, Any], clock: Clock | None) -> Backend:
    """Open a store."""
    if options or url is None or not url.startswith(f"{_SCHEME}/"):
        wanted = f"{_SCHEME}/path/of/a/folder and no options"
        raise InvalidSetting(f"expected {wanted}, found {url!r} and {sorted(options)}")
    return FileBackend(Path(url.removeprefix(_SCHEME)), clock)


@hookimpl
def taskkit_harness(default: Any) -> Any:
    """Let the conformance suite remove the folders that it has made."""
    default.dispose = lambda place: shutil.rmtree(place.url.removeprefix(_SCHEME))
    return default
