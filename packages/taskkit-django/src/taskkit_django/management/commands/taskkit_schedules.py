"""``manage.py taskkit_schedules``: what is put by the clock, looked at and steered."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

from taskkit import Kit
from taskkit.schedule.scheduler import STORED
from taskkit.schedule.stored import ListedEntry
from taskkit_django.kit import worker_kit
from taskkit_django.management.operating import OperatingCommand
from taskkit_django.management.showing import few, print_json, print_table
from taskkit_django.recurring import run_now

_ACTIONS: Final = ("list", "pause", "resume", "remove", "run")


class Command(OperatingCommand):
    """List the entries of all schedulers, or change one."""

    help = (
        "List what is scheduled: in settings, in code and in the store (the admin's). Entries in "
        "settings and code are known once a worker has run them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument("action", nargs="?", default="list", choices=_ACTIONS)
        parser.add_argument(
            "key", nargs="?", help="of the entry that is to be changed; list: only those with it"
        )
        parser.add_argument(
            "--scheduler", help="the entry's scheduler, where several know the key; list: only this"
        )
        parser.add_argument(
            "--next", type=few, default=5, metavar="N", help="ticks to show, at most 100"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Look, or change."""
        action, key = options["action"], options["key"]
        if action == "list":
            self._list(options)
        elif key is None:
            raise CommandError(f"{action}: expected the key of an entry")
        else:
            self._change(action, key, options["scheduler"])

    def _change(self, action: str, key: str, only: str | None) -> None:
        kit = worker_kit()
        schedules, scheduler = kit.schedules, only or _scheduler_of(kit, key)
        if action == "run":
            self.stdout.write(f"put {run_now(kit, scheduler, key)}")
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
        names = [only] if only else _schedulers(kit)
        key: str | None = options["key"]
        entries = [
            entry
            for name in names
            for entry in kit.schedules.list(name, options["next"])
            if key in (None, entry.key)
        ]
        if options["json"]:
            print_json(self.stdout, {"schedules": [_document(entry) for entry in entries]})
        elif not entries:
            what = "no entries" if key is None else f"no entry {key!r}"
            self.stdout.write(f"{what} in {', '.join(names)}")
        else:
            headers = ("SCHEDULER", "KEY", "GROUP", "NAME", "SCHEDULE", "NEXT")
            print_table(self.stdout, headers, [_row(entry) for entry in entries])


def _schedulers(kit: Kit) -> list[str]:
    return sorted({STORED, *map(str, kit.schedule_entries or {})})


def _scheduler_of(kit: Kit, key: str) -> str:
    found = [
        name
        for name in _schedulers(kit)
        if any(entry.key == key for entry in kit.schedules.list(name, 0))
    ]
    if len(found) > 1:
        raise CommandError(f"{key!r} is known to {', '.join(found)}: say --scheduler")
    return found[0] if found else STORED


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
