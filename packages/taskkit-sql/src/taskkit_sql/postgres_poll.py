"""Without push: look whether there is something to claim, often after there was, then less.

For poolers that give the next statement to another session, and for servers that have no LISTEN.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final, cast

import psycopg

from taskkit.errors import BackendError
from taskkit_relational.dialects.postgres.rarer import NOW
from taskkit_relational.dialects.postgres.statements import PostgresStatements
from taskkit_relational.statements import Cursor
from taskkit_relational.wakeup import Room
from taskkit_sql.postgres_connecting import connect
from taskkit_sql.postgres_errors import ERRORS
from taskkit_sql.settings import ServerSettings

_SHORTEST: Final = 0.005
_LONGEST: Final = 0.07
"""Seconds between two looks: at most about 15 a second while nothing happens."""

_LOOK: Final = f"""
SELECT EXISTS (SELECT 1 FROM @task WHERE state = 1)
    OR EXISTS (SELECT 1 FROM @task WHERE state = 0 AND due <= {NOW.removeprefix("SELECT ")})
"""  # noqa: S608 - own names


class Polling:
    """The source of news of a PostgreSQL store that cannot push."""

    def __init__(
        self,
        settings: ServerSettings,
        statements: PostgresStatements,
        translate: Callable[[Exception], BackendError],
    ) -> None:
        self._settings = settings
        self._statements = statements
        self._translate = translate
        self._look = statements.named(_LOOK).encode()
        self._rung = threading.Event()

    def interrupt(self) -> None:
        """Let ``watch`` look up soon."""
        self._rung.set()

    def watch(self, room: Room) -> None:
        """Watch until nobody has waited for a while."""
        try:
            with closing(connect(self._settings)) as connection, connection.cursor() as cursor:
                self._watch(room, cursor)
        except ERRORS as error:
            raise self._translate(error) from error

    def _watch(self, room: Room, cursor: psycopg.Cursor[Any]) -> None:
        unfinished, pause, before = self._statements.unfinished, _SHORTEST, False
        plain = cast("Cursor", cursor)
        room.listening()
        while room.is_wanted():
            if room.has_awaited():
                room.finished(lambda ids: set(ids) - unfinished(plain, list(ids)))
            cursor.execute(self._look)
            found = cursor.fetchone() == (True,)
            if found:
                room.claimable()
            # What stays is not for anybody here: it is asked after as rarely as nothing.
            pause = _SHORTEST if found and not before else min(pause * 2, _LONGEST)
            before = found
            self._rung.wait(pause)
            self._rung.clear()


__all__ = ["Polling"]
