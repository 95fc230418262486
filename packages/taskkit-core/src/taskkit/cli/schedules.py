"""``taskkit schedules``: the entries of a scheduler, looked at and steered while it runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from taskkit.cli import output
from taskkit.cli.store import find_kit, open_backend
from taskkit.clock import to_instant
from taskkit.handler import TaskHandler
from taskkit.schedule.stored import Schedules


def list_entries(namespace: argparse.Namespace) -> int:
    """List a scheduler's entries with the ticks to come."""
    with _schedules(namespace) as schedules:
        entries = schedules.list(namespace.scheduler)
    if namespace.json:
        rows = [
            {
                "scheduler": entry.scheduler,
                "key": entry.key,
                "stored": entry.stored,
                "group": entry.group,
                "name": entry.name,
                "schedule": entry.schedule,
                "paused": entry.paused,
                "done_until": output.iso(to_instant(entry.done_until)),
                "next": [output.iso(to_instant(tick)) for tick in entry.next],
            }
            for entry in entries
        ]
        output.print_json({"schedules": rows})
        return 0
    if not entries:
        print(f"no entries in the scheduler {namespace.scheduler!r}")
        return 0
    output.print_table(
        ("KEY", "GROUP", "NAME", "SCHEDULE", "WHERE", "NEXT"),
        [
            (
                entry.key,
                entry.group,
                entry.name,
                entry.schedule,
                "stored" if entry.stored else "in code",
                "paused" if entry.paused else ", ".join(map(str, entry.next[:1])),
            )
            for entry in entries
        ],
    )
    return 0


def pause(namespace: argparse.Namespace) -> int:
    """Let an entry's ticks pass without tasks."""
    with _schedules(namespace) as schedules:
        schedules.pause(namespace.key, namespace.scheduler)
    print(f"paused {namespace.key}")
    return 0


def resume(namespace: argparse.Namespace) -> int:
    """Let an entry go on from now."""
    with _schedules(namespace) as schedules:
        schedules.resume(namespace.key, namespace.scheduler)
    print(f"resumed {namespace.key}")
    return 0


def remove(namespace: argparse.Namespace) -> int:
    """Remove a stored entry."""
    with _schedules(namespace) as schedules:
        schedules.remove(namespace.key, namespace.scheduler)
    print(f"removed {namespace.key}")
    return 0


@contextmanager
def _schedules(namespace: argparse.Namespace) -> Iterator[Schedules]:
    kit = find_kit(namespace)
    with open_backend(namespace) as backend:
        # A handler is only asked to encode the data of new entries, which no command here does.
        yield Schedules(backend, cast("TaskHandler", None)) if kit is None else kit.schedules
