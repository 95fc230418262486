"""``manage.py taskkit_prune``: removes finished tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.core.management.base import CommandParser
from django.db.models import Q

from taskkit.clock import SystemClock, micros
from taskkit_django.kit import kit
from taskkit_django.management.operating import OperatingCommand
from taskkit_django.management.showing import age
from taskkit_django.models import Task

_STATES: Final = ("succeeded", "failed", "lost", "cancelled")


class Command(OperatingCommand):
    """Remove finished tasks, in batches."""

    help = (
        "Remove finished tasks, a thousand at a time. Without options those that have outlived "
        "their ttl, which workers do by themselves."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--state",
            dest="states",
            action="append",
            choices=_STATES,
            help="only in this state; may be repeated",
        )
        parser.add_argument(
            "--older-than",
            type=age,
            metavar="AGE",
            help="that finished so long ago, whatever their ttl: 14d, 12h, 30m, 90s",
        )
        parser.add_argument("--dry-run", action="store_true", help="only tell how many there are")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Remove tasks."""
        states, older_than = options["states"], options["older_than"]
        if older_than is None and states is not None:
            older_than = timedelta(0)
        if options["dry_run"]:
            kit().backend.workers()  # tells it well where there are no tables
            self.stdout.write(f"{_count(states, older_than)} tasks would be removed")
        else:
            self.stdout.write(f"{kit().purge(states, older_than)} tasks removed")


def _count(states: list[str] | None, older_than: timedelta | None) -> int:
    numbers = [Task.State[state.upper()] for state in states or _STATES]
    now = SystemClock().now()
    if older_than is None:
        chosen = Q(purge_at__lte=now)
    else:
        # Not by datetimes, which end before the longest ages do.
        chosen = Q(purge_at__isnull=False, done__lte=now - micros(older_than))
    return Task.objects.filter(chosen, state__in=numbers).count()
