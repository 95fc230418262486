"""Connectors to each kind of server, with their tables, and without the rules around them."""

from __future__ import annotations

import os
from contextlib import contextmanager

import mycase
import pgcase
import pytest

from taskkit_conformance.servers import mariadb
from taskkit_conformance.servers.obtaining import variable_of
from taskkit_relational.migrations import Layout
from taskkit_sql.settings import read_settings

_HAS_MYSQL = os.environ.get(variable_of("mysql")) or mariadb.find_mysql()

MYSQL_KINDS = ("mariadb", "mysql") if _HAS_MYSQL else ("mariadb",)
KINDS = ("postgres", *MYSQL_KINDS)

# What each of them says and does in its own way.
CASES = {"postgres": pgcase, "mariadb": mycase, "mysql": mycase}

on_postgres = pytest.mark.parametrize("house", ["postgres"], indirect=True)
on_mysql = pytest.mark.parametrize("house", MYSQL_KINDS, indirect=True)


def connector(url, **options):
    settings = read_settings(url, options)
    return CASES[settings.kind].Connector(settings)


@contextmanager
def pooled(server):
    """Give a new engine."""
    engine = server.engine()
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def opened(server):
    """Give a cursor on a connection of a new engine."""
    with pooled(server) as engine, engine.connect() as connection:
        cursor = connection.connection.driver_connection.cursor()
        yield cursor
        cursor.close()


def layout_of(url, **options):
    settings = read_settings(url, options)
    return Layout(settings.kind, settings.prefix, settings.shown, settings.schema)


def migrate(url, **options):
    """Make the tables."""
    server, layout = connector(url, **options), layout_of(url, **options)
    with opened(server) as cursor, server.migrating(cursor):
        layout.prepare(cursor)
        layout.run(cursor, layout.applied(cursor, server.tables(cursor)), 0)
    return server


def plain(url, **options):
    """Return a connection of the driver, as a user makes it."""
    return CASES["postgres" if url.startswith("postgres") else "mysql"].plain(url, **options)


def one(cursor, statement, *values):
    """Return the first row."""
    cursor.execute(statement, values or None)
    return cursor.fetchone()
