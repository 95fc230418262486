"""What a backend has beside the rules: its tables, and where its connections come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import Error

from taskkit.records import Capabilities
from taskkit_django.backend.callers import Callers
from taskkit_django.backend.pool import Pool
from taskkit_django.backend.tables import Tables
from taskkit_django.backend.transactions import cause
from taskkit_django.backend.vendor import Vendor
from taskkit_relational.migrations import Layout
from taskkit_relational.statements import Cursor
from taskkit_relational.wakeup import Wakeup

WITHIN: Final = "a connection of Django to the same database in an atomic() block, or its alias"


@dataclass(slots=True)
class House:
    """The tables and the connections of one backend."""

    alias: str
    vendor: Vendor
    layout: Layout
    tables: Tables
    callers: Callers
    pool: Pool
    wakeup: Wakeup
    reopening: Callable[[], tuple[Any, ...]]
    _workers: int = field(default=0, init=False)
    """How many run in this process."""

    def migrate(self) -> None:
        with looking(self.vendor, self.pool.lend()) as cursor:
            self.tables.migrate(cursor, alone=True)

    def schema_versions(self) -> tuple[int, int]:
        with looking(self.vendor, self.callers.lend()) as cursor:
            return max(self.tables.applied(cursor), default=0), self.layout.current()

    def upgrade_sql(self, since: int | None) -> str:
        return self.layout.upgrade_sql(self.schema_versions()[0] if since is None else since)

    def preload(self) -> None:
        """Leave nothing open that a fork would share."""
        connections.close_all()
        self.pool.distrust()

    def work(self) -> None:
        """Hold on to connections for workers, because one begins."""
        self._workers += 1
        self.pool.keep()

    def rest(self) -> None:
        """Let go of them, if the last worker of this process ends."""
        self._workers -= 1
        if self._workers <= 0:
            self.pool.rest()
            self.callers.close_ended()
            self.wakeup.give_way()

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


class Watching:
    """A source's way to a connection."""

    def __init__(self, vendor: Vendor, tables: Tables, pool: Pool) -> None:
        self._vendor = vendor
        self._tables = tables
        self._pool = pool

    def private(self) -> AbstractContextManager[BaseDatabaseWrapper]:
        return self._pool.private()

    def ensure(self) -> None:
        with looking(self._vendor, self._pool.lend()) as cursor:
            self._tables.ensure(cursor)


@contextmanager
def looking(vendor: Vendor, lent: AbstractContextManager[BaseDatabaseWrapper]) -> Iterator[Cursor]:
    """Give a cursor on a connection without a look at the tables first."""
    errors: tuple[type[Exception], ...] = (*vendor.errors, Error)
    try:
        with lent as connection:
            cursor = vendor.cursor(connection)
            try:
                yield cursor
            finally:
                cursor.close()
    except errors as error:
        raise vendor.translate(cause(error)) from error
