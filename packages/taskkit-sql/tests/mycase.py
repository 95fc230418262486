"""A connector to MySQL or MariaDB, with its tables, and without the rules around it."""

from __future__ import annotations

import os
from contextlib import contextmanager

import pymysql
from sqlalchemy.engine import make_url

from taskkit_conformance.servers import mariadb
from taskkit_conformance.servers.obtaining import variable_of
from taskkit_relational.migrations import Layout
from taskkit_sql.mysql import Mysql
from taskkit_sql.settings import read_settings

KINDS = (
    ("mariadb", "mysql")
    if os.environ.get(variable_of("mysql")) or mariadb.find_mysql()
    else ("mariadb",)
)


def settings_of(url, **options):
    return read_settings(url, options)


def connector(url, **options):
    return Mysql(settings_of(url, **options))


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
    server = Mysql(settings)
    layout = Layout("mysql", settings.prefix, settings.shown)
    with opened(server) as cursor, server.migrating(cursor):
        layout.prepare(cursor)
        layout.run(cursor, layout.applied(cursor, server.tables(cursor)), 0)
    return server


def plain(url, **options):
    """Return a connection of the driver, as a user makes it."""
    parsed = make_url(url)
    told = {"host": parsed.host, "port": parsed.port, "user": parsed.username}
    return pymysql.connect(
        **told, password=parsed.password or "", database=parsed.database, **options
    )


def one(cursor, statement, *values):
    """Return the first row."""
    cursor.execute(statement, values or None)
    return cursor.fetchone()
