"""From an alias of ``DATABASES`` to a backend: the rules, joined with Django's connections."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import django
from django.apps import apps
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import Error

from taskkit.clock import Clock, SystemClock
from taskkit.errors import InvalidSetting
from taskkit.records import Capabilities
from taskkit_django.backend.callers import Callers
from taskkit_django.backend.pool import Pool
from taskkit_django.backend.tables import Tables
from taskkit_django.backend.transactions import Transactions, cause
from taskkit_django.backend.vendor import Vendor
from taskkit_relational import reading
from taskkit_relational.backend import RelationalBackend
from taskkit_relational.migrations import Layout
from taskkit_relational.statements import Cursor
from taskkit_relational.store import Store, Transaction
from taskkit_relational.wakeup import Wakeup

WITHIN = "a connection of Django to the same database in an atomic() block, or its alias"


def open_backend(
    using: str | None = None,
    *,
    prefix: str = "taskkit_",
    notify: bool = True,
    clock: Clock | None = None,
    private: bool = True,
) -> RelationalBackend:
    """Return a backend on a database of the project; nothing is connected before its first use.

    Args:
        using: The alias; None: where the routers send writes of taskkit's models.
        prefix: Before the names of all tables.
        notify: PostgreSQL: push by LISTEN and NOTIFY.
        clock: Replaces the database's clock, for tests.
        private: Whether workers get connections beside those of Django's threads. Without, a
            worker in the calling thread takes part in its transaction, as tests want it.

    Raises:
        InvalidSetting: there is no such alias, or its database is not one that taskkit knows.
    """
    alias = _routed() if using is None else using
    reopening = _Reopening(using, prefix, notify, clock)
    vendor = vendor_of(alias, prefix, notify)
    layout = Layout(vendor.name, prefix, f"django://{alias}")
    tables = Tables(vendor, layout, alias)
    callers, pool = Callers(alias), Pool(alias, vendor.own_settings, vendor.errors)
    database = Transactions(vendor, tables, callers, clock)
    engine = Transactions(vendor, tables, pool, clock) if private else database
    house = _House(alias, vendor, layout, tables, callers, pool, reopening)
    store = Store(database, vendor.statements)
    working = Store(engine, vendor.statements) if private else store
    wakeup = Wakeup(vendor.source(_Reader(house)), _over(working), clock)

    def committed(transaction: Transaction) -> None:
        wakeup.committed(wakes=transaction.wakes, finished=transaction.finished)

    database.committed = engine.committed = committed
    pool.forked = wakeup.reset
    return RelationalBackend(store, wakeup, house, f"django://{alias}", engine=working)


def _over(store: Store) -> Callable[[Collection[str]], set[str]]:
    def over(ids: Collection[str]) -> set[str]:
        return store.database.read(lambda look: reading.over(store, look, ids))

    return over


def vendor_of(alias: str, prefix: str, notify: bool) -> Vendor:  # noqa: ARG001 - SQLite has nothing to notify with
    """Return what is particular to the kind of database behind an alias."""
    if alias not in connections.settings:
        raise InvalidSetting(
            f"using: expected an alias of DATABASES ({', '.join(connections.settings)}), "
            f"found {alias!r}"
        )
    connection = connections[alias]
    if connection.vendor == "sqlite":
        from taskkit_django.backend.sqlite import Sqlite

        return Sqlite(alias, prefix, connection.settings_dict)
    raise InvalidSetting(
        f"DATABASES[{alias!r}]: expected SQLite, PostgreSQL, MySQL or MariaDB, found "
        f"{connection.settings_dict['ENGINE']!r}; name another in TASKKIT['DATABASE']"
    )


def _routed() -> str:
    if not apps.models_ready:
        django.setup()
    return router.db_for_write(apps.get_model("taskkit", "Task"))


@dataclass(frozen=True, slots=True)
class _Reopening:
    """What it takes to open a backend again in another process."""

    using: str | None
    prefix: str
    notify: bool
    clock: Clock | None

    def __call__(self) -> tuple[Any, ...]:
        if not isinstance(self.clock, SystemClock | None):
            raise InvalidSetting(
                "clock: expected the system's clock in a backend that is sent to another process, "
                f"found a {type(self.clock).__name__}, which that process could not share"
            )
        return _reopen, (self.using, self.prefix, self.notify)


def _reopen(using: str | None, prefix: str, notify: bool) -> RelationalBackend:
    # The handler of a kit that is sent along may be in a module that needs Django's models.
    if not apps.ready and "DJANGO_SETTINGS_MODULE" in os.environ:
        django.setup()
    return open_backend(using, prefix=prefix, notify=notify)


@dataclass(frozen=True, slots=True)
class _House:
    """The tables and the connections."""

    alias: str
    vendor: Vendor
    layout: Layout
    tables: Tables
    callers: Callers
    pool: Pool
    reopening: _Reopening

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What drivers and Django raise."""
        return (*self.vendor.errors, Error)

    def migrate(self) -> None:
        with self.looking(self.pool.lend()) as cursor:
            self.tables.migrate(cursor, alone=True)

    def schema_versions(self) -> tuple[int, int]:
        with self.looking(self.callers.lend()) as cursor:
            return max(self.tables.applied(cursor), default=0), self.layout.current()

    def upgrade_sql(self, since: int | None) -> str:
        return self.layout.upgrade_sql(self.schema_versions()[0] if since is None else since)

    def preload(self) -> None:
        """Leave nothing open that a fork would share."""
        connections.close_all()

    def close(self) -> None:
        self.pool.close()
        self.callers.close()

    def capabilities(self) -> Capabilities:
        return Capabilities(
            name=f"django-{self.vendor.name}",
            durable=True,
            shared=True,
            wakeup=self.vendor.wakeup,
            transactional_put=True,
            within=WITHIN,
            max_data_bytes=self.vendor.max_data_bytes,
        )

    @contextmanager
    def looking(self, lent: AbstractContextManager[BaseDatabaseWrapper]) -> Iterator[Cursor]:
        """Give a cursor without a look at the tables first."""
        try:
            with lent as connection:
                cursor = self.vendor.cursor(connection)
                try:
                    yield cursor
                finally:
                    cursor.close()
        except self.errors as error:
            raise self.vendor.translate(cause(error)) from error


class _Reader:
    """A source's way to a connection."""

    def __init__(self, house: _House) -> None:
        self._house = house

    def private(self) -> AbstractContextManager[BaseDatabaseWrapper]:
        return self._house.pool.private()

    def ensure(self) -> None:
        with self._house.looking(self._house.pool.lend()) as cursor:
            self._house.tables.ensure(cursor)
