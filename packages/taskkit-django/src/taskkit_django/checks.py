"""System checks: what is wrong with the settings, told before it hurts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import django
from django.core import checks
from django.db import connections
from django.utils.module_loading import import_string

from taskkit.errors import InvalidSetting, TaskkitError
from taskkit.schedule.entry import to_entries
from taskkit_django.settings import KEYS, NAME, Settings, read_settings


def register() -> None:
    """Have ``manage.py check`` run these."""
    checks.register(check_settings, "taskkit")
    checks.register(check_database, checks.Tags.database)
    if django.VERSION >= (6, 0):
        # Whose check of TASKS is registered by whoever imports it; a project may do so too late.
        import_module("django.tasks")


def check_settings(**_options: Any) -> Sequence[checks.CheckMessage]:
    """Return what is wrong with ``TASKKIT``, without a look at any database."""
    try:
        settings = read_settings()
    except InvalidSetting as error:
        hint = f"{NAME} takes {', '.join(KEYS)}."
        return [checks.Error(str(error), hint=hint, id="taskkit.E001")]
    try:
        from taskkit_django.kit import kit

        alias = _alias(kit().backend)
    except (TaskkitError, ImportError) as error:
        hint = f"Workers and everybody who puts tasks need it: correct {NAME}, or what it names."
        return [checks.Error(f"{NAME}: {error}", hint=hint, id="taskkit.E002")]
    found = list(_about_names(settings))
    return found if alias is None else [*found, *_about(alias, settings)]


def check_database(
    databases: Sequence[str] | None = None, **_options: Any
) -> Sequence[checks.CheckMessage]:
    """Return whether the tables are there: with ``check --database`` only, as Django has it."""
    from taskkit_django.backend.migrating import is_migrated
    from taskkit_django.backend.opening import house_of
    from taskkit_django.kit import kit

    try:
        backend = kit().backend
    except (TaskkitError, ImportError):
        return []  # told by the other
    try:
        house = house_of(backend)
        if house is None or house.alias not in (databases or ()):
            return []
        found, current = house.schema_versions()
    except TaskkitError as error:
        hint = "Without this database tasks can neither be put nor run."
        return [checks.Error(str(error), hint=hint, id="taskkit.E003")]
    if found >= current or not (found or is_migrated(house.alias)):
        # None at all, in a project that has not been migrated, or is in this moment: Django tells.
        return []
    return [
        checks.Warning(
            f"taskkit's tables in {house.alias!r} are of version {found}, not {current}.",
            hint=f"Run {house.tables.command}.",
            id="taskkit.W003",
        )
    ]


def _alias(backend: object) -> str | None:
    from taskkit_django.backend.opening import house_of

    house = house_of(backend)
    return None if house is None else house.alias


def _about_names(settings: Settings) -> Iterator[checks.CheckMessage]:
    """Tell of what is only used later, by the admin or by workers."""
    if settings.redact is not None:
        try:
            redact = import_string(settings.redact)
        except ImportError as error:
            redact = error
        if not callable(redact):
            yield checks.Error(
                f"{NAME}['REDACT']: expected the path of a function, found {settings.redact!r}"
                + (f": {redact}" if isinstance(redact, ImportError) else ""),
                hint="It takes a task's name and its arguments by name, and returns the arguments "
                "that the admin may show.",
                id="taskkit.E004",
            )
    try:
        to_entries(settings.schedules, lambda _group, _name, _data: b"")
    except TaskkitError as error:
        yield checks.Error(
            f"{NAME}['SCHEDULES']: {error}",
            hint="For each scheduler a list of entries: {'key': …, 'schedule': …, 'group': …, "
            "'name': …, 'data': …}.",
            id="taskkit.E005",
        )


def _about(alias: str, settings: Settings) -> Iterator[checks.CheckMessage]:
    connection = connections[alias]
    options = connection.settings_dict.get("OPTIONS") or {}
    if connection.vendor == "sqlite":
        yield from _about_sqlite(alias, str(connection.settings_dict["NAME"]), options)
    if connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS") and settings.notify:
        yield checks.Info(
            f"DATABASES[{alias!r}] seems to lead to a pooler (DISABLE_SERVER_SIDE_CURSORS).",
            hint=f"If it gives the next statement to another session, set {NAME}['NOTIFY'] = "
            "False, or let an alias without the pooler in between be taskkit's DATABASE.",
            id="taskkit.I001",
        )


def _about_sqlite(alias: str, name: str, options: dict[str, Any]) -> Iterator[checks.CheckMessage]:
    if name == ":memory:":
        yield checks.Warning(
            f"DATABASES[{alias!r}] is in memory: every connection has another one.",
            hint="Give it the path of a file; workers are other processes.",
            id="taskkit.W001",
        )
        return
    advised = {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL"}
    is_wal = "wal" in str(options.get("init_command", "")).lower()
    if not is_wal or str(options.get("transaction_mode", "")).upper() != "IMMEDIATE":
        yield checks.Info(
            f"DATABASES[{alias!r}]: readers and writers of this SQLite file wait for each other.",
            hint=f"Set 'OPTIONS': {advised}.",
            id="taskkit.I002",
        )
