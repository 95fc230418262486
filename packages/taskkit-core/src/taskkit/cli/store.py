"""Which store and which kit a command is about: options first, then the environment."""

from __future__ import annotations

import argparse
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from taskkit.errors import InvalidSetting, TaskkitError

if TYPE_CHECKING:
    from taskkit.backend import Backend
    from taskkit.kit import Kit


@contextmanager
def open_backend(namespace: argparse.Namespace) -> Iterator[Backend]:
    """Open the store that ``--url``, ``--app``, TASKKIT_URL or TASKKIT_APP names, in this order."""
    from taskkit.stores import connect_url

    kit = find_kit(namespace)
    backend = connect_url(namespace.url) if kit is None else kit.backend
    try:
        yield backend
    finally:
        backend.close()


def find_kit(namespace: argparse.Namespace) -> Kit | None:
    """Return the kit, where the store is named by one; None where it is named by a URL."""
    if namespace.url:
        return None
    if namespace.app:
        return load(namespace.app)
    if os.environ.get("TASKKIT_URL"):
        return None
    app = os.environ.get("TASKKIT_APP")
    return load(app) if app else None


def load(app: str) -> Kit:
    """Import the kit that ``module:attribute`` names.

    Raises:
        InvalidSetting: it is not there; or its module cannot be imported, in one line with the
            place, because the importing machinery's own stack would hide that.
    """
    from taskkit.worker.discovery import load_kit

    try:
        return load_kit(app)
    except TaskkitError:
        raise
    except Exception as error:  # whatever a user's module raises on import
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if not frame.filename.startswith("<frozen")]
        raise InvalidSetting(
            f"{app} cannot be imported: {type(error).__name__}: {error} "
            f"({own[-1].filename}, line {own[-1].lineno})"
        ) from error
