"""What can be typed. Imports nothing but argparse: this is all that ``--help`` pays for.

A command names the function that runs it as ``"module:function"``; ``main`` imports that.
"""

from __future__ import annotations

import argparse
from typing import Final, TypeAlias

from taskkit.cli import values

# argparse has no public name for what add_subparsers returns.
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse names its type so

STATES: Final = ("waiting", "queued", "running", "succeeded", "failed", "lost", "cancelled")

_EPILOG: Final = """\
TASKKIT_URL says which store, TASKKIT_APP (module:kit) which kit, where no option does.
Without both, the store is the file taskkit.db in the current folder.
"""


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="taskkit",
        description="Run workers, and look into and steer the tasks of a store.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=None, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_worker(commands)
    _add_demo(commands)
    _add_tasks(commands)
    _add_looking(commands)
    _add_steering(commands)
    _add_db(commands)
    return parser


def _command(
    commands: Subparsers, name: str, help_text: str, run: str | None = None, *, store: bool = True
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_text, description=help_text)
    parser.set_defaults(run=None if run is None else f"taskkit.cli.{run}", parser=parser)
    if run is not None and store:
        where = parser.add_argument_group("which store")
        where.add_argument("--url", help="its URL, such as sqlite:///taskkit.db")
        where.add_argument("--app", metavar="MODULE:KIT", help="the kit whose store it is")
    return parser


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def _add_worker(commands: Subparsers) -> None:
    parser = _command(commands, "worker", "Run worker processes.", "worker:run", store=False)
    parser.add_argument(
        "app", nargs="?", metavar="MODULE:KIT", help="the kit to work for (else TASKKIT_APP)"
    )
    parser.add_argument(
        *("-g", "--group"),
        dest="groups",
        action="append",
        default=[],
        metavar="NAME=SLOTS",
        help="a group to serve, with its subgroups: mail=8 for threads, crawl=async:200 for "
        "coroutines; may be repeated",
    )
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument(
        "--discover",
        metavar="PATTERN",
        help="import the modules that match below the current folder, such as '**/tasks.py'",
    )
    parser.add_argument(
        "--reload", action="store_true", help="start anew when a source file changes"
    )
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="default info",
    )
    _add_worker_settings(parser.add_argument_group("settings"))


def _add_worker_settings(group: argparse._ArgumentGroup) -> None:
    for name, help_text in (
        ("--grace", "for running tasks to finish after a stop"),
        ("--lease", "without a heartbeat, until it counts as dead"),
        ("--heartbeat", "between two heartbeats"),
        ("--max-age", "recycle a process after this long"),
    ):
        group.add_argument(name, type=values.seconds, metavar="SECONDS", help=help_text)
    group.add_argument("--max-tasks", type=int, metavar="N", help="recycle a process after N tasks")
    group.add_argument(
        "--max-rss", type=values.size, metavar="BYTES", help="recycle above this: 512M, 2G"
    )
    group.add_argument("--drain", action="store_true", help="end once nothing is left to do")
    group.add_argument("--start-method", choices=("auto", "forkserver", "spawn"), default="auto")


def _add_demo(commands: Subparsers) -> None:
    parser = _command(
        commands, "demo", "Check the links of a folder of Markdown.", "demo:run", store=False
    )
    parser.add_argument("path", nargs="?", help="a folder or a file (default: taskkit's own docs)")
    parser.add_argument(
        "--online", action="store_true", help="ask the real servers, not a local stand-in"
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on where an interrupted run stopped"
    )
    parser.add_argument(
        "--database",
        default="taskkit-demo.db",
        metavar="FILE",
        help="where its tasks live (default: taskkit-demo.db)",
    )


def _add_filters(parser: argparse.ArgumentParser) -> None:
    which = parser.add_argument_group("which tasks")
    which.add_argument("-g", "--group", help="of this group")
    which.add_argument("--subgroups", action="store_true", help="and of its subgroups")
    which.add_argument(
        "-s", "--state", action="append", choices=STATES, help="in this state; may be repeated"
    )
    which.add_argument("-n", "--name", help="of this name")
    which.add_argument(
        *("-l", "--label"),
        action="append",
        default=[],
        type=values.label,
        metavar="KEY=VALUE",
        help="with this label; may be repeated",
    )


def _add_tasks(commands: Subparsers) -> None:
    parser = _command(commands, "tasks", "Look into tasks and decide about them.")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND")

    listing = _command(verbs, "list", "List tasks, a page at a time.", "tasks:list_tasks")
    _add_filters(listing)
    listing.add_argument(
        "--limit", type=values.positive, default=50, metavar="N", help="of a page; default 50"
    )
    listing.add_argument("--after", metavar="ID", help="go on after this task (see 'next')")
    _add_json(listing)

    show = _command(verbs, "show", "Show all about a task.", "tasks:show")
    show.add_argument("id")
    _add_json(show)

    for name, help_text in (
        ("retry", "Put failed, lost and cancelled tasks back in the queue."),
        ("cancel", "Cancel tasks; running ones are asked to stop."),
        ("delete", "Remove tasks without trace."),
    ):
        verb = _command(verbs, name, help_text, f"tasks:{name}")
        verb.add_argument("id", nargs="*", help="tasks; or say which tasks below")
        _add_filters(verb)
        _add_json(verb)


def _add_looking(commands: Subparsers) -> None:
    for name, help_text, run in (
        ("stats", "Count tasks by group and state.", "stats:stats"),
        ("backends", "List the stores that are installed.", "stats:backends"),
    ):
        _add_json(_command(commands, name, help_text, run, store=name != "backends"))
    workers = _command(commands, "workers", "Look at workers.")
    verbs = workers.add_subparsers(title="commands", metavar="COMMAND")
    _add_json(_command(verbs, "list", "List the workers.", "stats:workers"))


def _add_steering(commands: Subparsers) -> None:
    _add_schedules(commands)
    groups = _command(commands, "groups", "Pause and resume groups.")
    verbs = groups.add_subparsers(title="commands", metavar="COMMAND")
    pause = _command(verbs, "pause", "Claim nothing more of groups.", "control:pause")
    pause.add_argument(
        "--for", dest="seconds", type=values.seconds, metavar="SECONDS", help="and then resume"
    )
    resume = _command(verbs, "resume", "Lift pauses.", "control:resume")
    _add_json(_command(verbs, "list", "List pauses and limits.", "control:list_groups"))
    shutdown = _command(commands, "shutdown", "Tell workers to stop.", "control:shutdown")
    for parser in (pause, resume, shutdown):
        parser.add_argument("group", nargs="*", help="each with its subgroups")
        parser.add_argument("--all", action="store_true", help="all groups")


def _add_schedules(commands: Subparsers) -> None:
    schedules = _command(commands, "schedules", "List, pause and resume entries of schedules.")
    verbs = schedules.add_subparsers(title="commands", metavar="COMMAND")
    listing = _command(verbs, "list", "List a scheduler's entries.", "schedules:list_entries")
    _add_json(listing)
    pause = _command(verbs, "pause", "Let ticks pass without tasks.", "schedules:pause")
    resume = _command(verbs, "resume", "Let an entry go on.", "schedules:resume")
    remove = _command(verbs, "remove", "Remove an entry added at run time.", "schedules:remove")
    for parser in (pause, resume, remove):
        parser.add_argument("key")
    for parser in (listing, pause, resume, remove):
        parser.add_argument(
            "--scheduler",
            default="stored",
            metavar="NAME",
            help="default: stored, which runs what was added at run time",
        )


def _add_db(commands: Subparsers) -> None:
    parser = _command(commands, "db", "Create, upgrade or check the store's tables.")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND")
    _command(verbs, "upgrade", "Create the tables, or bring them up to date.", "db:upgrade")
    _command(verbs, "check", "Say whether the tables are up to date.", "db:check")
    sql = _command(verbs, "sql", "Print the SQL of an upgrade, without running it.", "db:sql")
    sql.add_argument(
        "--from", dest="version", type=int, metavar="VERSION", help="default: the store's own"
    )
