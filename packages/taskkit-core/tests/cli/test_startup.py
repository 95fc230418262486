"""``taskkit --help`` costs no more than argparse."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "asyncio",
    "concurrent.futures",
    "cronsim",
    "importlib.metadata",
    "markdown_it",
    "msgspec",
    "multiprocessing",
    "pluggy",
    "rich",
    "sqlalchemy",
    "taskkit.kit",
    "taskkit_sql",
    "watchfiles",
}


def test_help_imports_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "taskkit", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "taskkit.cli.parser" in imported
    assert not imported & HEAVY
    for command in ("worker", "demo", "tasks", "stats", "backends", "db"):
        assert command in done.stdout


def test_every_command_can_be_run():
    import importlib

    from taskkit.cli.parser import make_parser

    names = list(commands(make_parser()))
    assert len(names) > 12
    for name in names:
        module, _, function = name.partition(":")
        assert callable(getattr(importlib.import_module(module), function)), name


def commands(parser):
    if parser.get_default("run"):
        yield parser.get_default("run")
    for action in parser._actions:
        if hasattr(action, "choices") and isinstance(action.choices, dict):
            for child in action.choices.values():
                yield from commands(child)
