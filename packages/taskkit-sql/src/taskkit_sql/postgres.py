"""PostgreSQL: how to connect to it, begin, commit and push, and what its errors mean."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import lru_cache
from typing import Any, Final, Literal, cast

import psycopg
import sqlalchemy as sa

from taskkit.errors import BackendError
from taskkit_relational.dialects.postgres.listening import (
    PATIENCE,
    Listening,
    channel_of,
)
from taskkit_relational.dialects.postgres.rarer import CLOCK
from taskkit_relational.dialects.postgres.statements import PostgresStatements
from taskkit_relational.dialects.postgres.telling import Telling, kinds_of
from taskkit_relational.migrations import VERSION_TABLE
from taskkit_relational.polling import Polling, Sign
from taskkit_relational.statements import Cursor, News
from taskkit_relational.wakeup import Source
from taskkit_sql import postgres_connecting as connecting
from taskkit_sql.postgres_direct import Direct
from taskkit_sql.postgres_errors import ERRORS, Errors
from taskkit_sql.postgres_joining import WITHIN, Joining
from taskkit_sql.server import Begun
from taskkit_sql.settings import ServerSettings

_TABLES: Final = """
SELECT c.relname FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND left(c.relname, length(%s)) = lower(%s)
    AND CASE WHEN %s::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid)
        ELSE n.nspname = lower(%s) END
"""

# The dead versions that claims and settlements leave lie at the beginning of the range that every
# claim looks through; a hundred thousand of them cost it a millisecond. PostgreSQL's own sweeping
# looks once a minute, when there may be a million.
_DEAD: Final = """
SELECT n_dead_tup > 20000 + 0.02 * n_live_tup FROM pg_catalog.pg_stat_all_tables
WHERE relid = to_regclass(%s)
"""
_SWEEP: Final = "VACUUM (INDEX_CLEANUP ON, TRUNCATE FALSE, SKIP_LOCKED TRUE, PARALLEL 0)"


class Postgres:
    """The connector of ``postgresql://…``."""

    name = "postgres"
    errors = ERRORS
    within = WITHIN
    direct_cursor = Direct
    """Another kind where every statement is watched: see ``watching``."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self.statements = PostgresStatements(settings.prefix, settings.schema)
        self.wakeup: Literal["push", "poll"] = "push" if settings.notify else "poll"
        # Behind a pooler a sweep without a timeout would leave that to other sessions.
        self.leaves_dead_rows = settings.notify
        self._errors = Errors(settings)
        self.is_conflict = self._errors.is_conflict
        self.is_lost = self._errors.is_lost
        self._joining = Joining(settings, self.statements.prefix)
        self._channel = channel_of(settings.prefix, settings.schema)
        self._begin = self._beginning().encode()
        self._telling = Telling(self._channel, self.statements.prefix)

    def _beginning(self) -> str:
        # One round trip, and at READ COMMITTED whatever the database's default is.
        bounds = ""
        if not self._settings.notify:
            bounds = "".join(
                f", set_config('{name}', '{value}', true)"
                for name, value in connecting.bounds(self._settings).items()
            )
        look = f"SELECT {CLOCK}, controls{bounds} FROM {self.statements.prefix}store"  # noqa: S608 - own names
        return f"BEGIN ISOLATION LEVEL READ COMMITTED; {look}"

    # ---- connections

    def engine(self) -> sa.Engine:
        """Return a new engine."""
        return connecting.engine_of(self._settings)

    def direct(self, connection: Any) -> Cursor:
        """Return a cursor for what is said again and again."""
        if not self._settings.notify:  # a pooler's next session would have prepared nothing
            return cast("Cursor", connection.cursor())
        return self.direct_cursor(connection, connecting.patience(self._settings))

    def is_alive(self, connection: Any) -> bool:
        """Return, without a round trip, whether the server has left a connection open."""
        return connecting.is_alive(connection)

    def is_in_transaction(self, connection: Any) -> bool:
        """Return, without a round trip, whether a connection has a transaction open."""
        return connecting.is_in_transaction(connection)

    def source(self) -> Source:
        """Return a source of news, with a connection of its own, opened when it watches."""
        if self._settings.notify:
            return Listening(
                *(self._listening, self._channel, self.statements, self._telling.tag),
                *(self.errors, self.translate),
            )
        return Polling(self._cursor, self._look, self.statements, self.errors, self.translate)

    @contextmanager
    def _listening(self) -> Generator[psycopg.Connection[Any]]:
        with closing(connecting.connect(self._settings)) as connection:
            connecting.bind(connection, PATIENCE)
            yield connection

    @contextmanager
    def _cursor(self) -> Generator[Cursor]:
        with closing(connecting.connect(self._settings)) as connection:
            yield cast("Cursor", connection.cursor())

    def _look(self, cursor: Cursor) -> Sign:
        values = self.statements.sign(cursor)
        return Sign(values, bool(values[1] or values[-1]))

    # ---- transactions

    def begin(self, cursor: Cursor) -> Begun:
        """Begin a transaction, in one round trip."""
        driver = _driver(cursor)
        driver.execute(self._begin, prepare=False)
        driver.nextset()
        row = cast("tuple[Any, ...]", driver.fetchone())
        return Begun(row[0], row[1])

    def begin_snapshot(self, cursor: Cursor) -> None:
        """Begin a transaction in which every statement reads the same state."""
        _driver(cursor).execute(b"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", prepare=False)

    def commit(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:
        """Commit, and tell other processes in which somebody waits."""
        told = self._settings.notify
        text = self._telling.commit(wakes=told and wakes, finished=told and finished)
        _driver(cursor).execute(text.encode(), prepare=False)

    def tell(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:
        """Tell everybody when the caller commits: who will wait by then, nobody knows now."""
        if self._settings.notify:
            for kind in kinds_of(wakes=wakes, finished=finished):
                cursor.execute("SELECT pg_notify(%s, %s)", (self._channel, kind))

    def news(self, *, wakes: bool, finished: bool) -> News | None:
        """Return what a statement tells that commits by itself."""
        kinds = kinds_of(wakes=wakes, finished=finished)
        if not self._settings.notify or not kinds:
            return None
        return _news(self._channel, kinds[0], self._telling.tag())

    # ---- errors, and the caller's transaction

    def translate(self, error: Exception) -> BackendError:
        """Return what a driver's error means to a user and what to do; never with a password."""
        return self._errors.translate(error)

    def joining(self, within: object) -> AbstractContextManager[Cursor]:
        """Give a cursor in a caller's open transaction on this very database."""
        return self._joining.cursor(within)

    # ---- tables

    @contextmanager
    def migrating(self, cursor: Cursor) -> Generator[None]:
        """Keep everybody else from changing the tables; an error undoes every change."""
        versions = f"{self.statements.prefix}{VERSION_TABLE}"
        with connecting.unbound(_driver(cursor).connection):
            # Whoever makes the first tables at the same time gets a conflict, and begins anew.
            cursor.execute("BEGIN")
            try:
                cursor.execute("SET LOCAL statement_timeout = 0")
                if _exists(cursor, versions):
                    cursor.execute(f"LOCK TABLE {versions} IN SHARE ROW EXCLUSIVE MODE")
                yield
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(*self.errors):
                    cursor.execute("ROLLBACK")
                raise

    def tables(self, cursor: Cursor) -> set[str]:
        """Return the names of the tables of this store's prefix and schema."""
        prefix, schema = self._settings.prefix, self._settings.schema
        cursor.execute(_TABLES, (prefix, prefix, schema, schema))
        # PostgreSQL keeps a name in lower case that is written without quotes.
        return {prefix + name[len(prefix) :] for (name,) in cursor.fetchall()}

    def tidy(self, cursor: Cursor) -> bool:
        """Sweep dead versions of tasks away, if there are so many that they slow claims down.

        Outside a transaction. One small look where nothing is to be done; else a part of a second
        in which claims go on. Nothing happens where another process does it already, or where the
        user does not own the table. Returns whether it swept.
        """
        table = f"{self.statements.prefix}task"
        cursor.execute(_DEAD, (table,))
        if cursor.fetchone() != (True,):
            return False
        with connecting.unbound(_driver(cursor).connection):
            cursor.execute("SET statement_timeout = 0")
            try:
                cursor.execute(f"{_SWEEP} {table}")
            finally:
                timeout = connecting.bounds(self._settings)["statement_timeout"]
                cursor.execute(f"SET statement_timeout = {timeout}")
        return True


@lru_cache(64)
def _news(channel: str, kind: str, tag: str) -> News:
    """Return the same news for the same store, kind and process: for each put it is asked for."""
    return News(channel, kind, f"{kind}{tag}", if_promised=True)


def _exists(cursor: Cursor, table: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
    return bool(cursor.fetchone()[0])


def _driver(cursor: Cursor) -> psycopg.Cursor[Any]:
    """Return a cursor as what it is: only of this driver are there any here."""
    return cast("psycopg.Cursor[Any]", cursor)
