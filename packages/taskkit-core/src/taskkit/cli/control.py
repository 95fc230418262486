"""``taskkit groups`` and ``shutdown``: state that workers read with their next heartbeat."""

from __future__ import annotations

import argparse

from taskkit.cli import output
from taskkit.cli.store import open_backend
from taskkit.clock import micros
from taskkit.errors import InvalidSetting
from taskkit.limits import check_duration, check_group
from taskkit.task import After


def pause(namespace: argparse.Namespace) -> int:
    """Pause groups, for a time or until they are resumed."""
    groups = _groups(namespace)
    until = None
    if namespace.seconds is not None:
        check_duration("--for", namespace.seconds, zero=False)
        until = After(micros(namespace.seconds))
    with open_backend(namespace) as backend:
        backend.pause(groups, until)
    print(f"paused {_named(groups)}")
    return 0


def resume(namespace: argparse.Namespace) -> int:
    """Lift pauses."""
    groups = _groups(namespace)
    with open_backend(namespace) as backend:
        backend.resume(groups)
    print(f"resumed {_named(groups)}")
    return 0


def shutdown(namespace: argparse.Namespace) -> int:
    """Tell the workers that run now to stop serving groups."""
    groups = _groups(namespace)
    with open_backend(namespace) as backend:
        workers = len(backend.workers())
        backend.stop(groups)
    print(f"told {workers} worker{'' if workers == 1 else 's'} to stop {_named(groups)}")
    return 0


def list_groups(namespace: argparse.Namespace) -> int:
    """List the groups that are paused or limited."""
    with open_backend(namespace) as backend:
        control = backend.control()
    names = sorted({*control.pauses, *control.limits})
    if namespace.json:
        rows = []
        for name in names:
            limits = control.limits.get(name)
            rate = limits.rate if limits else None
            rows.append(
                {
                    "group": name,
                    "paused": name in control.pauses,
                    "paused_until": output.iso(control.pauses.get(name)),
                    "max_running": limits.max_running if limits else None,
                    "rate": [rate.limit, rate.period] if rate else None,
                    "max_queue_size": limits.max_queue_size if limits else None,
                }
            )
        output.print_json({"groups": rows})
        return 0
    if not names:
        print("no group is paused or limited")
        return 0
    headers = ("GROUP", "PAUSED", "MAX RUNNING", "RATE", "MAX QUEUE SIZE")
    rows_of_text: list[tuple[object, ...]] = []
    for name in names:
        limits = control.limits.get(name)
        rate = limits.rate if limits else None
        until = control.pauses.get(name)
        paused = "" if name not in control.pauses else output.local(until) or "until resumed"
        rows_of_text.append(
            (
                name,
                paused,
                limits.max_running if limits else None,
                f"{rate.limit} in {rate.period:g} s" if rate else None,
                limits.max_queue_size if limits else None,
            )
        )
    output.print_table(headers, rows_of_text)
    return 0


def _groups(namespace: argparse.Namespace) -> list[str] | None:
    """Return the named groups, None for all: no command means all by saying nothing."""
    groups: list[str] = namespace.group
    if namespace.all == bool(groups):
        raise InvalidSetting(
            f"expected groups or --all, found {'both' if namespace.all else 'neither'}"
        )
    for group in groups:
        check_group(group)
    return None if namespace.all else groups


def _named(groups: list[str] | None) -> str:
    return "all groups" if groups is None else ", ".join(groups)
