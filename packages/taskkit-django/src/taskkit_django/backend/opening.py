"""From an alias of ``DATABASES`` to a backend: the rules, joined with Django's connections."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import django
from django.apps import apps
from django.db import connections
from django.db.utils import ConnectionRouter

from taskkit.clock import Clock, check_sendable
from taskkit.errors import InvalidSetting
from taskkit_django.backend.callers import Callers
from taskkit_django.backend.house import House, Watching
from taskkit_django.backend.pool import Pool
from taskkit_django.backend.tables import Tables
from taskkit_django.backend.tended import tended
from taskkit_django.backend.transactions import Transactions
from taskkit_django.backend.vendor import Vendor
from taskkit_relational import reading
from taskkit_relational.backend import RelationalBackend
from taskkit_relational.migrations import Layout
from taskkit_relational.store import Store
from taskkit_relational.wakeup import Room, Source, Wakeup


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
    callers, pool = Callers(alias), Pool(alias, vendor)
    database = Transactions(vendor, tables, callers, clock)
    engine = Transactions(vendor, tables, pool, clock) if private else database
    store = Store(database, vendor.statements, vendor.shortcuts)
    working = Store(engine, vendor.statements, vendor.shortcuts) if private else store
    wakeup = Wakeup(
        _Tidy(vendor.source(Watching(vendor, tables, pool)), callers), _over(store), clock
    )

    def may_refuse(steered: int) -> bool:
        known = store.controlled
        return known.version != steered or any(
            limits.max_queue_size is not None for limits in known.limits.values()
        )

    database.may_refuse = may_refuse
    database.committed = engine.committed = wakeup.committed
    pool.forked = wakeup.reset
    house = House(alias, vendor, layout, tables, callers, pool, wakeup, reopening)
    backend = RelationalBackend(store, wakeup, house, f"django://{alias}", engine=working)
    _houses[backend] = house
    return backend


def house_of(backend: object) -> House | None:
    """Return what is beside the rules of a backend; None if that is not on Django's connections."""
    return _houses.get(backend) if isinstance(backend, RelationalBackend) else None


class _Tidy:
    """A source that leaves no connection in its thread.

    Those of other threads are not its business: it ends whenever nobody waits any more.
    """

    def __init__(self, source: Source, callers: Callers) -> None:
        self._source = source
        self._callers = callers

    def watch(self, room: Room) -> None:
        tended.itself = True
        try:
            self._source.watch(room)
        finally:
            self._callers.close_own()

    def interrupt(self) -> None:
        self._source.interrupt()


def _over(store: Store) -> Callable[[Collection[str]], set[str]]:
    def over(ids: Collection[str]) -> set[str]:
        return store.database.read(lambda look: reading.over(store, look, ids))

    return over


def vendor_of(alias: str, prefix: str, notify: bool) -> Vendor:
    """Return what is particular to the kind of database behind an alias."""
    if alias not in connections.settings:
        raise InvalidSetting(
            f"using: expected an alias of DATABASES ({', '.join(connections.settings)}), "
            f"found {alias!r}"
        )
    connection = connections[alias]
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        from taskkit_django.backend.sqlite import Sqlite

        return Sqlite(alias, prefix, settings)
    if connection.vendor == "postgresql":
        _require_psycopg(alias)
        from taskkit_django.backend.postgres import Postgres

        return Postgres(alias, prefix, settings, notify)
    if connection.vendor == "mysql":
        from taskkit_django.backend.mysql import Mysql

        return Mysql(alias, prefix, settings)
    raise InvalidSetting(
        f"DATABASES[{alias!r}]: expected SQLite, PostgreSQL, MySQL or MariaDB, found "
        f"{settings['ENGINE']!r}; name another in TASKKIT['DATABASE']"
    )


def _require_psycopg(alias: str) -> None:
    try:
        import psycopg  # noqa: F401 - Django would take psycopg2 in its place
    except ImportError as error:
        raise InvalidSetting(
            f"DATABASES[{alias!r}]: expected psycopg 3 to be installed, found at best psycopg2; "
            "run: pip install 'psycopg[binary]'"
        ) from error


def _routed() -> str:
    if not apps.models_ready:
        django.setup()
    if not apps.is_installed("taskkit_django"):
        raise InvalidSetting(
            "INSTALLED_APPS: expected 'taskkit.contrib.django', found no such app; add it, or say "
            "using= to have no models"
        )
    # Not Django's own, which learns later than we of settings that a test has changed.
    return ConnectionRouter().db_for_write(apps.get_model("taskkit", "Task"))


@dataclass(frozen=True, slots=True)
class _Reopening:
    """What it takes to open a backend again in another process."""

    using: str | None
    prefix: str
    notify: bool
    clock: Clock | None

    def __call__(self) -> tuple[Any, ...]:
        check_sendable(self.clock)
        return _reopen, (self.using, self.prefix, self.notify)


def _reopen(using: str | None, prefix: str, notify: bool) -> RelationalBackend:
    # The handler of a kit that is sent along may be in a module that needs Django's models.
    if not apps.ready and "DJANGO_SETTINGS_MODULE" in os.environ:
        django.setup()
    return open_backend(using, prefix=prefix, notify=notify)


_houses: WeakKeyDictionary[RelationalBackend, House] = WeakKeyDictionary()
