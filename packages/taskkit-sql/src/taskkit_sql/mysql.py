"""MySQL and MariaDB: how to connect to them, begin and commit, and what their errors mean."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import Any, Final, Literal, cast

import sqlalchemy as sa

from taskkit.errors import BackendError, Unavailable
from taskkit_relational.dialects.mysql.statements import MysqlStatements
from taskkit_relational.polling import Polling, Sign
from taskkit_relational.statements import Cursor
from taskkit_relational.wakeup import Source
from taskkit_sql import mysql_connecting as connecting
from taskkit_sql.mysql_errors import ERRORS, Errors
from taskkit_sql.mysql_joining import WITHIN, Joining
from taskkit_sql.server import Begun
from taskkit_sql.settings import ServerSettings

# At READ COMMITTED, as the connection is, a snapshot would be forgotten at once.
_SNAPSHOT: Final = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; "
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
)

_TABLES: Final = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = database() AND left(table_name, char_length(%s)) IN (%s, lower(%s))
"""


class Mysql:
    """The connector of ``mysql://…`` and ``mariadb://…``."""

    name = "mysql"
    errors = ERRORS
    within = WITHIN
    wakeup: Literal["push", "poll"] = "poll"
    leaves_dead_rows = False  # InnoDB clears up behind itself all the time

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self.statements = MysqlStatements(settings.prefix)
        self._errors = Errors(settings)
        self.is_conflict = self._errors.is_conflict
        self.is_lost = self._errors.is_lost
        self._joining = Joining(settings)
        self._begin = f"BEGIN; {self.statements.begin}"

    # ---- connections

    def engine(self) -> sa.Engine:
        """Return a new engine."""
        return connecting.engine_of(self._settings)

    def direct(self, connection: Any) -> Cursor:
        """Return a cursor for what is said again and again."""
        return cast("Cursor", connection.cursor())

    def is_alive(self, connection: Any) -> bool:
        """Return, without a round trip, whether the server has left a connection open."""
        return connecting.is_alive(connection)

    def is_in_transaction(self, connection: Any) -> bool:
        """Return, without a round trip, whether a connection has a transaction open."""
        return connecting.is_in_transaction(connection)

    def source(self) -> Source:
        """Return a source of news, with a connection of its own, opened when it watches."""
        return Polling(self._cursor, self._look, self.statements, self.errors, self.translate)

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
        driver = cast("Any", cursor)
        driver.execute(self._begin)
        driver.nextset()
        now, steered = driver.fetchone()
        return Begun(now, steered)

    def begin_snapshot(self, cursor: Cursor) -> None:
        """Begin a transaction in which every statement reads the same state."""
        cursor.execute(_SNAPSHOT)
        connecting.finish(cursor)

    def commit(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:  # noqa: ARG002 - nobody can be told
        """Commit; other processes find out by looking."""
        cursor.execute("COMMIT")

    def tell(self, cursor: Cursor, *, wakes: bool, finished: bool) -> None:
        """Do nothing: other processes find out by looking."""

    def news(self, *, wakes: bool, finished: bool) -> None:
        """Return nothing: other processes find out by looking."""

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
        """Keep everybody else from changing the tables.

        A change of tables is committed at once on these servers; an error undoes none of those
        before it, and to run the same steps again is safe.
        """
        database = self._settings.url.database
        told = hashlib.sha256(f"{database}.{self._settings.prefix}".encode()).hexdigest()
        name = f"taskkit {told[:40]}"
        with connecting.unbound(cursor):
            cursor.execute("SELECT get_lock(%s, %s)", (name, self._settings.lock_timeout))
            if cursor.fetchone() != (1,):
                raise Unavailable(
                    "expected to be alone in changing taskkit's tables, found another process that "
                    f"has been doing it for {self._settings.lock_timeout:g} s; try again when it "
                    "has ended"
                )
            try:
                yield
            finally:
                with suppress(*self.errors):
                    cursor.execute("SELECT release_lock(%s)", (name,))

    def tidy(self, cursor: Cursor) -> bool:  # noqa: ARG002 - nothing is to be swept
        """Do nothing."""
        return False

    def tables(self, cursor: Cursor) -> set[str]:
        """Return the names of the store's tables, as its statements write them."""
        prefix = self._settings.prefix
        cursor.execute(_TABLES, (prefix, prefix, prefix))
        # Some servers keep all names in lower case.
        return {prefix + name[len(prefix) :] for (name,) in cursor.fetchall()}
