"""``taskkit demo``: runs ``examples/link_checker.py``, which every wheel carries."""

from __future__ import annotations

import argparse
from pathlib import Path

from taskkit.errors import InvalidSetting


def run(namespace: argparse.Namespace) -> int:
    """Check the links of a folder of Markdown."""
    try:
        from taskkit.cli import link_checker
    except ModuleNotFoundError as error:
        raise InvalidSetting(
            f"the demo needs {error.name}: pip install 'taskkit-core[demo]' taskkit-sql"
        ) from error
    path = None if namespace.path is None else Path(namespace.path)
    return link_checker.run(
        path,
        online=namespace.online,
        resume=namespace.resume,
        database=Path(namespace.database),
    )
