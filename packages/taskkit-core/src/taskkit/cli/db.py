"""``taskkit db``: the tables of a store that has some."""

from __future__ import annotations

import argparse
from typing import Protocol, cast

from taskkit.cli.store import open_backend
from taskkit.errors import SchemaMismatch, Unsupported


class HasSchema(Protocol):
    """What a backend with numbered migrations offers beside the Backend protocol."""

    def schema_versions(self) -> tuple[int, int]:
        """Return the version that the store has (0: nothing yet) and the one that is current."""
        ...

    def upgrade_sql(self, since: int | None = None) -> str:
        """Return the SQL that upgrades from a version (None: the store's own) to the current."""
        ...


def upgrade(namespace: argparse.Namespace) -> int:
    """Create the tables, or bring them up to date."""
    with open_backend(namespace) as backend:
        backend.migrate()
    print("the store is up to date")
    return 0


def check(namespace: argparse.Namespace) -> int:
    """Say whether the tables are up to date; the exit code is 1 if not."""
    with open_backend(namespace) as backend:
        found, current = _with_schema(backend).schema_versions()
    if found == current:
        print(f"the store is up to date: version {current}")
        return 0
    if found > current:
        raise SchemaMismatch(
            f"the store has version {found}, this taskkit knows up to {current}: upgrade taskkit"
        )
    raise SchemaMismatch(
        f"the store has version {found}, current is {current}: run taskkit db upgrade"
    )


def sql(namespace: argparse.Namespace) -> int:
    """Print the SQL of an upgrade."""
    with open_backend(namespace) as backend:
        print(_with_schema(backend).upgrade_sql(namespace.version))
    return 0


def _with_schema(backend: object) -> HasSchema:
    if not hasattr(backend, "schema_versions"):
        raise Unsupported("this store has no tables: nothing is to be checked or upgraded")
    return cast("HasSchema", backend)
