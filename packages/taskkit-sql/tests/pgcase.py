"""A connector to PostgreSQL, with its tables, and without the rules around it."""

from __future__ import annotations

from contextlib import contextmanager

from taskkit_relational.migrations import Layout
from taskkit_sql.postgres import Postgres
from taskkit_sql.settings import read_settings


def settings_of(url, **options):
    return read_settings(url, options)


def connector(url, **options):
    return Postgres(settings_of(url, **options))


@contextmanager
def opened(server):
    """Give a cursor on a connection of a new engine."""
    engine = server.engine()
    try:
        with engine.connect() as connection:
            cursor = connection.connection.driver_connection.cursor()
            yield cursor
            cursor.close()
    finally:
        engine.dispose()


def migrate(url, **options):
    """Make the tables."""
    settings = settings_of(url, **options)
    server = Postgres(settings)
    layout = Layout("postgres", settings.prefix, settings.shown, settings.schema)
    with opened(server) as cursor, server.migrating(cursor):
        layout.prepare(cursor)
        layout.run(cursor, layout.applied(cursor, server.tables(cursor)), 0)
    return server


def shown(cursor, *names):
    """Return settings of the session."""
    return [cursor.execute(f"SHOW {name}").fetchone()[0] for name in names]
