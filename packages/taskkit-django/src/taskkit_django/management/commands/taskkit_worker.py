"""``manage.py taskkit_worker``: runs tasks."""

from __future__ import annotations

import os
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from taskkit.errors import InvalidSetting, WorkerStartFailed
from taskkit.settings import Slots
from taskkit.worker.launch import KitReference
from taskkit.worker.options import PartialSettings, check_processes
from taskkit.worker.supervisor import supervise
from taskkit_django.settings import NAME, read_settings

_KIT: Final = "taskkit_django.kit:worker_kit"

_SECONDS: Final = {
    "grace": "for running tasks to finish after a stop",
    "lease": "without a heartbeat, until a worker counts as dead",
    "heartbeat": "between two heartbeats",
    "max-age": "recycle a process after this long",
}


class Command(BaseCommand):
    """Run worker processes until they are told to stop."""

    help = (
        "Run tasks: in worker processes, each with threads or coroutines for its groups. SIGTERM "
        "and Ctrl-C stop after the running tasks; SIGHUP loads the code anew."
    )
    # The supervisor only starts the workers: it needs neither models nor a database.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            *("-g", "--group"),
            dest="groups",
            action="append",
            default=[],
            metavar="NAME=SLOTS",
            help="a group (queue) to serve, with its subgroups: mail=8 for threads, "
            f"crawl=async:200 for coroutines; may be repeated; else {NAME}['GROUPS']",
        )
        parser.add_argument(
            "--threads",
            type=int,
            metavar="N",
            help="slots of groups without a number",
        )
        parser.add_argument(
            *("-p", "--processes"), type=int, metavar="N", help=f"else {NAME}['PROCESSES']"
        )
        parser.add_argument(
            "--reload", action="store_true", help="start anew when a source file changes"
        )
        parser.add_argument(
            *("--once", "--batch", "--drain"),
            dest="drain",
            action="store_true",
            help="run what is due, then end",
        )
        parser.add_argument(
            "--max-tasks", type=int, metavar="N", help="recycle a process after N tasks"
        )
        for name, text in _SECONDS.items():
            parser.add_argument(f"--{name}", type=float, metavar="SECONDS", help=text)
        parser.add_argument(
            "--start-method", choices=("auto", "forkserver", "spawn"), default="auto"
        )
        parser.add_argument(
            "--log-level",
            choices=("debug", "info", "warning", "error"),
            default="info",
            help="of what goes to stderr, beside LOGGING of the project; default info",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run workers."""
        if "DJANGO_SETTINGS_MODULE" not in os.environ:
            raise CommandError(
                "expected DJANGO_SETTINGS_MODULE in the environment: worker processes load the "
                "settings from there; without a settings module use kit().running() instead"
            )
        try:
            settings = read_settings()
            supervise(
                KitReference(_KIT),
                check_processes(_first(options["processes"], settings.processes)),
                PartialSettings(_groups(options, settings.groups), _said(options)),
                start_method=options["start_method"],
                log_level=options["log_level"],
                reload=options["reload"],
            )
        except (InvalidSetting, WorkerStartFailed) as error:
            raise CommandError(str(error)) from error


def _groups(options: dict[str, Any], configured: Any) -> dict[str, Slots]:
    threads = options["threads"]
    groups: dict[str, Slots] = {}
    for text in options["groups"]:
        # From the right: a group's name may hold "=", a number of slots does not.
        name, separator, slots = text.rpartition("=")
        if not separator:
            name, slots = text, _first(threads, configured.get(text, 8))
        if name in groups:
            raise InvalidSetting(f"--group: {name!r} is given twice")
        groups[name] = Slots.of(slots, name)
    if groups:
        return groups
    return {name: Slots.of(_first(threads, slots), name) for name, slots in configured.items()}


def _first(said: Any, otherwise: Any) -> Any:
    # Not "or": to say 0 is a mistake that is to be told.
    return otherwise if said is None else said


def _said(options: dict[str, Any]) -> dict[str, Any]:
    names = ["max_tasks", *(name.replace("-", "_") for name in _SECONDS)]
    said = {name: options[name] for name in names if options[name] is not None}
    return {"drain": options["drain"], **said}
