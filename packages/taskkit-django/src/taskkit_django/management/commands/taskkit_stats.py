"""``manage.py taskkit_stats``: how many tasks there are, and who works on them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.core.management.base import CommandParser

from taskkit.cli.output import ago, iso
from taskkit.operate import Stats
from taskkit.records import Count
from taskkit.task import State
from taskkit_django.kit import kit
from taskkit_django.management.operating import OperatingCommand
from taskkit_django.management.showing import print_json, print_table


class Command(OperatingCommand):
    """Count tasks by group and state."""

    help = "Show how many tasks are in which state, for each group, and the workers."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Look, and print."""
        stats = kit().stats()
        if options["json"]:
            print_json(self.stdout, _document(stats))
            return
        groups: defaultdict[str, dict[State, Count]] = defaultdict(dict)
        for count in stats.counts:
            groups[count.group][count.state] = count
        headers = ("GROUP", *(state.value.upper() for state in State), "OLDEST QUEUED")
        print_table(self.stdout, headers, [_row(group, of) for group, of in groups.items()])
        for worker in stats.workers:
            slots = " ".join(f"{group}={n}" for group, n in worker.info.groups.items())
            self.stdout.write(
                f"worker {worker.info.id}: {worker.running} running, {slots}, "
                f"since {ago(worker.registered)}, lease ends {ago(worker.expires)}"
            )
        if not stats.workers:
            self.stdout.write("no worker; start one: manage.py taskkit_worker")


def _row(group: str, counts: dict[State, Count]) -> tuple[object, ...]:
    numbers = (counts[state].count if state in counts else 0 for state in State)
    queued = counts.get(State.QUEUED)
    return (group, *numbers, ago(queued.oldest_due) if queued else "")


def _document(stats: Stats) -> dict[str, Any]:
    return {
        "counts": [
            {
                "group": count.group,
                "state": count.state.value,
                "count": count.count,
                "oldest_due": iso(count.oldest_due),
            }
            for count in stats.counts
        ],
        "workers": [
            {
                "id": worker.info.id,
                "host": worker.info.host,
                "pid": worker.info.pid,
                "groups": dict(worker.info.groups),
                "running": worker.running,
                "registered": iso(worker.registered),
                "expires": iso(worker.expires),
            }
            for worker in stats.workers
        ],
    }
