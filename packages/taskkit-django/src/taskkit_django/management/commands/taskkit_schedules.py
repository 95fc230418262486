"""``manage.py taskkit_schedules``: what is put by the clock, looked at and steered."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from taskkit.errors import InvalidSchedule
from taskkit.schedule.scheduler import STORED
from taskkit.schedule.stored import ListedEntry
from taskkit_django.kit import worker_kit
from taskkit_django.management.showing import print_json, print_table

_ACTIONS: Final = ("list", "pause", "resume", "remove", "run")


class Command(BaseCommand):
    """List the entries of all schedulers, or change one."""

    help = (
        "List what is scheduled: in settings, in code and in the store (the admin's). Entries in "
        "settings and code are known once a worker has run them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("action", nargs="?", default="list", choices=_ACTIONS)
        parser.add_argument("key", nargs="?", help="of the entry that is to be changed")
        parser.add_argument(
            "--scheduler", help=f"the entry's scheduler; {STORED!r} unless given; list: only this"
        )
        parser.add_argument("--next", type=int, default=5, metavar="N", help="ticks to show")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Look, or change."""
        action, key = options["action"], options["key"]
        try:
            if action == "list":
                self._list(options)
            elif key is None:
                raise CommandError(f"{action}: expected the key of an entry")
            else:
                self._change(action, key, options["scheduler"] or STORED)
        except InvalidSchedule as error:
            raise CommandError(str(error)) from error

    def _change(self, action: str, key: str, scheduler: str) -> None:
        schedules = worker_kit().schedules
        if action == "run":
            self.stdout.write(f"put {schedules.run_now(key, scheduler)}")
            return
        {
            "pause": schedules.pause,
            "resume": schedules.resume,
            "remove": schedules.remove,
        }[action](key, scheduler)
        self.stdout.write(f"{action}: {key}")

    def _list(self, options: dict[str, Any]) -> None:
        kit = worker_kit()
        only: str | None = options["scheduler"]
        names: list[str] = (
            [only] if only else sorted({STORED, *map(str, kit.schedule_entries or {})})
        )
        entries = [e for name in names for e in kit.schedules.list(name, options["next"])]
        if options["json"]:
            print_json(self.stdout, {"schedules": [_document(entry) for entry in entries]})
        elif not entries:
            self.stdout.write(f"no entries in {', '.join(names)}")
        else:
            headers = ("SCHEDULER", "KEY", "GROUP", "NAME", "SCHEDULE", "NEXT")
            print_table(self.stdout, headers, [_row(entry) for entry in entries])


def _row(entry: ListedEntry) -> tuple[object, ...]:
    ticks = ", ".join(f"{tick:%Y-%m-%d %H:%M:%S}" for tick in entry.next)
    return (
        entry.scheduler,
        entry.key,
        entry.group,
        entry.name,
        entry.schedule,
        "paused" if entry.paused else ticks,
    )


def _document(entry: ListedEntry) -> dict[str, Any]:
    return {
        "scheduler": entry.scheduler,
        "key": entry.key,
        "stored": entry.stored,
        "group": entry.group,
        "name": entry.name,
        "schedule": entry.schedule,
        "paused": entry.paused,
        "done_until": entry.done_until.isoformat(),
        "next": [tick.isoformat() for tick in entry.next],
    }
