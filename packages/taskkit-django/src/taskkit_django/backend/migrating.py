"""The tables of a project's databases: made by Django's ``migrate``, emptied by its ``flush``."""

from __future__ import annotations

from django.conf import settings
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from taskkit.errors import InvalidSetting
from taskkit_django.backend.opening import open_backend, vendor_of
from taskkit_django.backend.tables import LABEL, Tables
from taskkit_django.backend.transactions import is_in_transaction
from taskkit_django.backend.vendor import Vendor
from taskkit_relational.migrations import Layout


class ApplySteps(Operation):
    """Runs the steps of the tables that have not been run; see ``taskkit_relational.migrations``.

    Undone, it removes the tables with all tasks.
    """

    reversible = True
    reduces_to_sql = True

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Change no state: models are stated beside it."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,  # noqa: ARG002 - as Django calls it
        to_state: ProjectState,  # noqa: ARG002 - as above
    ) -> None:
        """Make the tables, or bring them up to date."""
        alias = schema_editor.connection.alias
        if not router.allow_migrate(alias, app_label):
            return
        vendor, layout = _store(alias, self.prefix)
        if schema_editor.collect_sql:
            schema_editor.collected_sql.append(layout.upgrade_sql(0))
        else:
            make_tables(schema_editor.connection, vendor, layout)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,  # noqa: ARG002 - as Django calls it
        to_state: ProjectState,  # noqa: ARG002 - as above
    ) -> None:
        """Remove the tables."""
        connection = schema_editor.connection
        if not router.allow_migrate(connection.alias, app_label):
            return
        vendor, _layout = _store(connection.alias, self.prefix)
        cursor = vendor.cursor(connection)
        for name in sorted(vendor.tables(cursor)):
            schema_editor.execute(f"DROP TABLE {name}")
        if vendor.name == "postgres":
            schema_editor.execute(f"DROP SEQUENCE IF EXISTS {self.prefix}token")
        cursor.close()

    def describe(self) -> str:
        """Return what ``migrate --plan`` says."""
        return f"Make the tables {self.prefix}… in the database's own SQL"


def make_tables(connection: BaseDatabaseWrapper, vendor: Vendor, layout: Layout) -> None:
    """Run the steps that have not been run, in the connection's transaction if it is in one."""
    cursor = vendor.cursor(connection)
    try:
        tables = Tables(vendor, layout, connection.alias)
        tables.migrate(cursor, alone=not is_in_transaction(connection))
    finally:
        cursor.close()


def complete(using: str, prefix: str, has_run: bool) -> None:
    """Make the tables where migrations did not.

    They are turned off, as in some projects' tests. Or they were noted as applied while a router
    forbade the tables here, or with another prefix: Django would never run them again.

    Args:
        using: The alias of the database.
        prefix: Of the tables.
        has_run: Whether ``migrate`` ran some just now, or was told to take them for run.
    """
    if not router.allow_migrate(using, LABEL):
        return
    try:
        vendor, layout = _store(using, prefix)
    except InvalidSetting:  # a database of a kind that taskkit does not know, and need not
        return
    connection = connections[using]
    connection.ensure_connection()
    modules = settings.MIGRATION_MODULES
    is_off = LABEL in modules and modules[LABEL] is None
    is_noted = not has_run and is_migrated(using)
    if is_off or (is_noted and not _tables(connection, vendor)):
        make_tables(connection, vendor, layout)


def is_migrated(alias: str) -> bool:
    """Return whether Django believes that the tables have been made."""
    return any(
        app == LABEL for app, _ in MigrationRecorder(connections[alias]).applied_migrations()
    )


def empty(using: str, prefix: str) -> None:
    """Remove all tasks, if the tables are there."""
    try:
        vendor, _layout = _store(using, prefix)
    except InvalidSetting:
        return
    connection = connections[using]
    connection.ensure_connection()
    if _tables(connection, vendor):
        open_backend(using, prefix=prefix, notify=False).clear()


def _tables(connection: BaseDatabaseWrapper, vendor: Vendor) -> bool:
    cursor = vendor.cursor(connection)
    try:
        return bool(vendor.tables(cursor))
    finally:
        cursor.close()


def _store(alias: str, prefix: str) -> tuple[Vendor, Layout]:
    vendor = vendor_of(alias, prefix, notify=False)
    return vendor, Layout(vendor.name, prefix, f"django://{alias}")
