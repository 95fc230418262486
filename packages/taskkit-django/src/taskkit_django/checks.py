"""System checks: what is wrong with the settings, told before it hurts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core import checks
from django.db import connections

from taskkit.errors import InvalidSetting, TaskkitError
from taskkit_django.settings import KEYS, NAME, Settings, read_settings


def register() -> None:
    """Have ``manage.py check`` run these."""
    checks.register(check_settings, "taskkit")
    checks.register(check_database, checks.Tags.database)


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
        return [checks.Error(f"{NAME}: {error}", id="taskkit.E002")]
    return [] if alias is None else list(_about(alias, settings))


def check_database(
    databases: Sequence[str] | None = None, **_options: Any
) -> Sequence[checks.CheckMessage]:
    """Return whether the tables are there: with ``check --database`` only, as Django has it."""
    from taskkit_django.backend.opening import house_of
    from taskkit_django.kit import kit

    try:
        backend = kit().backend
        house = house_of(backend)
        if house is None or house.alias not in (databases or ()):
            return []
        found, current = house.schema_versions()
    except TaskkitError as error:
        return [checks.Error(str(error), id="taskkit.E003")]
    if found >= current:
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
