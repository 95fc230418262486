"""A database of the project for a test: of each kind, with taskkit's tables made by migrate."""

from __future__ import annotations

import secrets
import sys
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.db import connections

from taskkit_conformance.servers.fixtures import mariadb_server, postgres_server  # noqa: F401 - fixtures

sys.path.insert(0, str(Path(__file__).parent))

SQLITE = {
    "transaction_mode": "IMMEDIATE",
    "init_command": "PRAGMA journal_mode=WAL",
    "timeout": 10,
}


def sqlite(path):
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": SQLITE}


def served(url):
    parts = urlsplit(url)
    kind = parts.scheme.partition("+")[0]
    if kind != "postgresql":
        kind = "mysql"
        try:
            import_module("MySQLdb")
        except ImportError:
            import_module("pymysql").install_as_MySQLdb()
    return {
        "ENGINE": f"django.db.backends.{kind}",
        "NAME": parts.path.removeprefix("/"),
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname,
        "PORT": str(parts.port),
    }


@pytest.fixture
def project(settings, django_db_blocker, tmp_path):
    """Add databases to the project; all are closed and forgotten at the end."""
    added = []

    def add(database, *, migrate=True, chosen=True, **options):
        alias = f"test_{secrets.token_hex(4)}"
        database = {**database, **options}
        configured = connections.configure_settings({"default": {}, alias: database})
        connections.settings[alias] = configured[alias]
        added.append(alias)
        if migrate:
            call_command("migrate", "taskkit", database=alias, verbosity=0)
            connections[alias].close()
        if chosen:
            settings.TASKKIT = {"DATABASE": alias}
        return alias

    with django_db_blocker.unblock():
        yield add
        close_kits()
        for alias in added:
            connections[alias].close()
            del connections.settings[alias]
            del connections[alias]


def close_kits():
    """Close what the test has made of its settings."""
    from taskkit_django import kit as module

    if module._project_kit.cache_info().currsize:
        module.kit().close()
        module._project_kit.cache_clear()


@pytest.fixture
def place(request, tmp_path):
    """The settings of an empty database of the kind that a test asks for."""
    kind = getattr(request, "param", "sqlite")
    with ExitStack() as stack:
        if kind == "sqlite":
            yield sqlite(tmp_path / "project.db")
        else:
            server = request.getfixturevalue(f"{kind}_server")
            yield served(stack.enter_context(server.database()))


@pytest.fixture
def alias(project, place):
    """A database with taskkit's tables, which the project's kit is on."""
    return project(place)


@pytest.fixture
def kit(alias):
    from taskkit_django.kit import kit

    return kit()
