"""``taskkit worker``: the same as ``Kit.start``, from the command line."""

from __future__ import annotations

import argparse
import os
from typing import Any

from taskkit.errors import InvalidSetting
from taskkit.settings import Slots

_OPTIONS = ("grace", "lease", "heartbeat", "max_tasks", "max_age", "max_rss")


def run(namespace: argparse.Namespace) -> int:
    """Run workers until they are told to stop."""
    app = namespace.app or os.environ.get("TASKKIT_APP")
    if not app:
        raise InvalidSetting("which kit? taskkit worker module:kit -g mail=8, or set TASKKIT_APP")
    groups = _groups(namespace.groups)
    _log(namespace.log_level)

    from taskkit.worker.heap import trim_heap
    from taskkit.worker.launch import KitReference
    from taskkit.worker.options import PartialSettings, check_processes
    from taskkit.worker.supervisor import supervise

    # The workers load the kit by its name, and nobody else does: this process stays small, and
    # after a change of the code they load the new code.
    trim_heap()
    supervise(
        KitReference(app, namespace.discover),
        check_processes(namespace.processes),
        PartialSettings(groups, _settings(namespace)),
        start_method=namespace.start_method,
        log_level=namespace.log_level,
        reload=namespace.reload,
    )
    return 0


def _settings(namespace: argparse.Namespace) -> dict[str, Any]:
    """Return what was said; what was not is left to the kit."""
    said = {name: getattr(namespace, name) for name in _OPTIONS}
    return {
        "drain": namespace.drain,
        **{name: value for name, value in said.items() if value is not None},
    }


def _groups(texts: list[str]) -> dict[str, Slots]:
    groups: dict[str, Slots] = {}
    for text in texts:
        # From the right: a group's name may hold "=", a number of slots does not.
        name, separator, slots = text.rpartition("=")
        if not separator or not name:
            raise InvalidSetting(f"--group: expected NAME=SLOTS, such as mail=8, found {text!r}")
        if name in groups:
            raise InvalidSetting(f"--group: {name!r} is given twice")
        groups[name] = Slots.of(slots, name)
    if not groups:
        raise InvalidSetting("expected at least one group to serve: -g mail=8")
    return groups


def _log(level: str) -> None:
    import logging

    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(process)d %(name)s %(message)s"
    )
