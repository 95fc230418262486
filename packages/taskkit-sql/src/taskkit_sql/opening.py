"""From a URL and options to a backend: the rules, joined with what SQLAlchemy connects to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from taskkit.clock import Clock, SystemClock, check_sendable
from taskkit.errors import InvalidSetting
from taskkit.records import Capabilities
from taskkit_relational import reading
from taskkit_relational.backend import RelationalBackend
from taskkit_relational.dialects.sqlite.source import SqliteSource
from taskkit_relational.migrations import Layout
from taskkit_relational.store import Store
from taskkit_relational.wakeup import Source, Wakeup
from taskkit_sql import sqlite
from taskkit_sql.pooled import Pooled
from taskkit_sql.server import Server
from taskkit_sql.settings import FileSettings, ServerSettings, read_settings
from taskkit_sql.single_writer import SingleWriter

_SERVER_DATA: Final = 256 << 20
"""Bytes: what PostgreSQL and, as its packets are set by default, MariaDB and MySQL can take."""


def open_backend(
    url: str | None, *, clock: Clock | None = None, **options: Any
) -> RelationalBackend:
    """Return a backend on the database that a URL names; nothing is connected before its first use.

    See ``settings`` for URLs and options.

    Raises:
        InvalidSetting: the URL or an option is not understood, or its driver is not installed.
    """
    settings = read_settings(url, options)
    assert url is not None
    reopening = _Reopening(url, options, clock)
    if isinstance(settings, FileSettings):
        return _open_file(settings, reopening)
    return _open_server(settings, reopening)


@dataclass(frozen=True, slots=True)
class _Reopening:
    """What it takes to open a backend again in another process."""

    url: str
    options: dict[str, Any]
    clock: Clock | None

    def __call__(self) -> tuple[Any, ...]:
        check_sendable(self.clock)
        return _reopen, (self.url, self.options)


def _reopen(url: str, options: dict[str, Any]) -> RelationalBackend:
    return open_backend(url, **options)


@dataclass(frozen=True, slots=True)
class _House:
    """The tables and the connections."""

    database: SingleWriter | Pooled
    layout: Layout
    reopening: _Reopening
    told: Capabilities

    def migrate(self) -> None:
        self.database.migrate()

    def schema_versions(self) -> tuple[int, int]:
        return max(self._applied(), default=0), self.layout.current()

    def upgrade_sql(self, since: int | None) -> str:
        return self.layout.upgrade_sql(self.schema_versions()[0] if since is None else since)

    def _applied(self) -> set[int]:
        if isinstance(self.database, Pooled):
            return self.database.applied()
        with self.database.reading() as cursor:
            return self.database.applied(cursor)

    def preload(self) -> None:
        self.database.preload()

    def close(self) -> None:
        self.database.close()

    def capabilities(self) -> Capabilities:
        return self.told


def _open_file(settings: FileSettings, reopening: _Reopening) -> RelationalBackend:
    dialect = sqlite.Sqlite(settings)
    clock = reopening.clock or SystemClock()
    layout = Layout("sqlite", settings.prefix, settings.shown)
    database = SingleWriter(dialect, layout, settings.create, clock, settings.busy_timeout)
    source = SqliteSource(database, dialect.statements, settings.path)
    told = Capabilities(
        name="sqlite",
        durable=True,
        shared=True,
        wakeup="push",
        transactional_put=True,
        within=sqlite.WITHIN,
        max_data_bytes=500_000_000,  # SQLite's default limit for a row is 1,000,000,000
    )
    store = Store(database, dialect.statements)
    wakeup = _joined(store, source, database, reopening.clock)
    database.forking.append(wakeup.give_way)
    return RelationalBackend(
        store, wakeup, _House(database, layout, reopening, told), settings.shown
    )


def _open_server(settings: ServerSettings, reopening: _Reopening) -> RelationalBackend:
    server = _server(settings)
    layout = Layout(server.name, settings.prefix, settings.shown, settings.schema)
    database = Pooled(server, layout, settings.create, reopening.clock)
    told = Capabilities(
        name=server.name,
        durable=True,
        shared=True,
        wakeup=server.wakeup,
        transactional_put=True,
        within=server.within,
        max_data_bytes=_SERVER_DATA,
    )
    store = Store(database, server.statements, server.statements.shortcuts)
    wakeup = _joined(store, server.source(), database, reopening.clock)
    return RelationalBackend(
        store, wakeup, _House(database, layout, reopening, told), settings.shown
    )


def _server(settings: ServerSettings) -> Server:
    """Return the connector, imported only now: its driver is an extra."""
    if settings.kind == "postgres":
        try:
            from taskkit_sql.postgres import Postgres
        except ImportError as error:
            raise _without_driver("psycopg 3", "postgres") from error
        return Postgres(settings)
    try:
        from taskkit_sql.mysql import Mysql
    except ImportError as error:
        raise _without_driver("PyMySQL", "mysql") from error
    return Mysql(settings)


def _without_driver(driver: str, extra: str) -> InvalidSetting:
    return InvalidSetting(
        f"url: expected {driver} to be installed for it, found none; "
        f"run: pip install 'taskkit-sql[{extra}]'"
    )


def _joined(
    store: Store, source: Source, database: SingleWriter | Pooled, clock: Clock | None
) -> Wakeup:
    """Return the waiting room of a store, told of commits and forks of this process."""

    def over(ids: Collection[str]) -> set[str]:
        return database.read(lambda look: reading.over(store, look, ids))

    wakeup = Wakeup(source, over, clock)
    database.committed = wakeup.committed
    database.forked.append(wakeup.reset)
    return wakeup
