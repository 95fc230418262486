"""``taskkit stats``, ``backends`` and ``workers list``: looking, not touching."""

from __future__ import annotations

import argparse
from collections import defaultdict

from taskkit.cli import output
from taskkit.cli.store import open_backend
from taskkit.records import Count
from taskkit.task import State


def stats(namespace: argparse.Namespace) -> int:
    """Count tasks by group and state."""
    with open_backend(namespace) as backend:
        counts, workers = backend.count(), backend.workers()
    if namespace.json:
        rows = [
            {
                "group": count.group,
                "state": count.state.value,
                "count": count.count,
                "oldest_due": output.iso(count.oldest_due),
            }
            for count in counts
        ]
        output.print_json({"counts": rows, "workers": len(workers)})
        return 0
    groups: defaultdict[str, dict[State, Count]] = defaultdict(dict)
    for count in counts:
        groups[count.group][count.state] = count
    headers = ("GROUP", *(state.value.upper() for state in State), "OLDEST QUEUED")
    output.print_table(headers, [_stats_row(group, of) for group, of in groups.items()])
    print(f"{len(workers)} worker{'' if len(workers) == 1 else 's'}")
    return 0


def _stats_row(group: str, counts: dict[State, Count]) -> tuple[object, ...]:
    numbers = (counts[state].count if state in counts else 0 for state in State)
    queued = counts.get(State.QUEUED)
    return (group, *numbers, output.ago(queued.oldest_due) if queued else "")


def backends(namespace: argparse.Namespace) -> int:
    """List the installed backends; none is imported."""
    from taskkit.stores import backends as installed

    plugins = installed().values()
    if namespace.json:
        rows = [
            {
                "name": plugin.name,
                "schemes": list(plugin.schemes),
                "distribution": plugin.distribution,
                "version": plugin.version,
            }
            for plugin in plugins
        ]
        output.print_json({"backends": rows})
        return 0
    output.print_table(
        ("NAME", "URLS", "PACKAGE", "VERSION"),
        [
            (plugin.name, " ".join(plugin.schemes), plugin.distribution, plugin.version)
            for plugin in plugins
        ],
    )
    return 0


def workers(namespace: argparse.Namespace) -> int:
    """List the workers, those whose lease has expired too."""
    with open_backend(namespace) as backend:
        records = backend.workers()
    if namespace.json:
        rows = [
            {
                "id": record.info.id,
                "host": record.info.host,
                "pid": record.info.pid,
                "version": record.info.version,
                "groups": dict(record.info.groups),
                "running": record.running,
                "registered": output.iso(record.registered),
                "expires": output.iso(record.expires),
            }
            for record in records
        ]
        output.print_json({"workers": rows})
        return 0
    output.print_table(
        ("ID", "HOST", "PID", "GROUPS", "RUNNING", "SINCE", "LEASE ENDS"),
        [
            (
                record.info.id,
                record.info.host,
                record.info.pid,
                " ".join(f"{group}={slots}" for group, slots in record.info.groups.items()),
                record.running,
                output.ago(record.registered),
                output.ago(record.expires),
            )
            for record in records
        ],
    )
    return 0
