"""How a process learns what others have committed to its SQLite file.

``watch`` tells when a look may be worth while, SQLite's ``data_version`` whether another
connection has committed, and the store's count of wakes whether that commit concerns anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from taskkit_relational.dialects.sqlite.statements import SqliteStatements
from taskkit_relational.dialects.sqlite.watch import Watch, watch_log
from taskkit_relational.statements import Cursor
from taskkit_relational.store import Look
from taskkit_relational.wakeup import Room


class Readable(Protocol):
    """The connections to a file, as far as watching needs them."""

    def read(self, work: Callable[[Look], None]) -> None:
        """Read, after making sure that the file and its tables are there."""
        ...

    def reading(self) -> AbstractContextManager[Cursor]:
        """Give a cursor for as long as the context lasts."""
        ...


class SqliteSource:
    """Watches one file."""

    def __init__(self, database: Readable, statements: SqliteStatements, path: str) -> None:
        self._database = database
        self._statements = statements
        self._path = path
        self._watching: Watch | None = None

    def interrupt(self) -> None:
        """Let ``watch`` look up soon."""
        watching = self._watching
        if watching is not None:
            watching.interrupt()

    def watch(self, room: Room) -> None:
        """Watch the store until nobody has waited for a while."""
        self._database.read(lambda _look: None)  # makes sure that the file and its tables are there
        with self._database.reading() as cursor:
            version, wakes = self._version(cursor), self._wakes(cursor)
            room.listening()
            watch = self._watching = watch_log(self._path)
            try:
                while room.is_wanted():
                    found = self._version(cursor)
                    changed, version = found != version, found
                    if changed:
                        wakes = self._tell(room, cursor, wakes)
                    watch.rest(changed)
            finally:
                self._watching = None
                watch.close()

    def _tell(self, room: Room, cursor: Cursor, known: int) -> int:
        """See whom a commit concerns; return the newest count of wakes."""
        wakes = self._wakes(cursor)
        if wakes != known:
            room.claimable()
        if room.has_awaited():
            # By this connection: to ask for another could keep a fork waiting for this thread.
            room.finished(lambda ids: set(ids) - self._statements.unfinished(cursor, list(ids)))
        return wakes

    def _wakes(self, cursor: Cursor) -> int:
        return self._statements.begun(cursor)[0]

    def _version(self, cursor: Cursor) -> int:
        """Return SQLite's counter of other connections' commits."""
        cursor.execute("PRAGMA data_version")
        return int(cursor.fetchone()[0])
