"""Push: LISTEN on a connection of its own, and say in a table that somebody does.

NOTIFY makes all commits of a database queue up for a moment, so nobody notifies while nobody
waits. A source that watches promises so in the table ``waiting``: until when it surely will. It
renews that in time; a commit reads it, and notifies if the time has not passed.

That leaves one gap: a commit reads that nobody waits, then a waiter comes, claims in vain because
the commit is not visible yet, and sleeps. It can only be a commit that was under way when the
promise was made; so whoever makes one afresh is woken a few times more, soon after.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final, cast
from zlib import crc32

from taskkit.clock import monotonic
from taskkit.errors import BackendError
from taskkit_relational.dialects.postgres.rarer import CLOCK
from taskkit_relational.dialects.postgres.statements import PostgresStatements
from taskkit_relational.statements import Cursor
from taskkit_relational.wakeup import Room

CLAIMABLE: Final = "c"
FINISHED: Final = "d"
"""The first letter of what is notified; the tag of the process that did it follows."""

_PROMISED: Final = 10.0
"""Seconds that a promise holds."""
_RENEWED: Final = 5.0
"""Seconds that are left of it when it is renewed."""

_AGAIN: Final = (0.01, 0.05, 0.25, 1.0)
"""Seconds after a fresh promise at which a commit that was under way is looked for."""

PATIENCE: Final = 5.0
"""Seconds within which so small a statement is answered, or the connection is dead. Whoever
connects sees to that."""

# What another process has promised for almost as long is not written again.
_PROMISE: Final = f"""
WITH clock AS (SELECT {CLOCK} AS now),
promised AS (
    UPDATE @waiting AS w SET until = now + %s FROM clock
    WHERE w.kind = ANY(%s::text[]) AND w.until < now + %s RETURNING w.kind, w.until)
SELECT w.kind, coalesce(p.until, w.until) - now
FROM clock CROSS JOIN @waiting AS w LEFT JOIN promised AS p ON p.kind = w.kind
"""  # noqa: S608 - own names


def channel_of(prefix: str, schema: str | None = None) -> str:
    """Return the channel of a store: channels belong to a database, stores to a schema."""
    place = "" if schema is None else f"_{crc32(schema.encode()):08x}"
    return f"{prefix.lower()}news{place}"


class Listening:
    """The source of news of a PostgreSQL store.

    Args:
        connecting: Gives a connection of psycopg 3 to be alone with, in autocommit.
        channel: Of the store, see ``channel_of``.
        statements: The store's.
        tag: What this process signs its own news with.
        errors: What the driver raises …
        translate: … and what that means.
    """

    def __init__(
        self,
        connecting: Callable[[], AbstractContextManager[Any]],
        channel: str,
        statements: PostgresStatements,
        tag: Callable[[], str],
        errors: tuple[type[Exception], ...],
        translate: Callable[[Exception], BackendError],
    ) -> None:
        self._connecting = connecting
        self._channel = channel
        self._statements = statements
        self._tag = tag
        self._errors = errors
        self._translate = translate
        self._bell: socket.socket | None = None

    def interrupt(self) -> None:
        """Let ``watch`` look up soon."""
        bell = self._bell
        if bell is not None:
            with suppress(OSError):  # full: it rings already; closed: nobody watches any more
                bell.send(b"!")

    def watch(self, room: Room) -> None:
        """Watch until nobody has waited for a while."""
        try:
            with (
                self._connecting() as connection,
                self._belled() as bell,
                selectors.DefaultSelector() as selector,
            ):
                for readable in (connection.fileno(), bell):
                    selector.register(readable, selectors.EVENT_READ)
                watch = _Watch(connection, bell, selector, self._statements, self._tag())
                # What is promised may be lost with the server: everybody promises anew then.
                watch.execute("SET synchronous_commit = off")
                watch.execute(f"LISTEN {self._channel}")
                while room.is_wanted():
                    watch.promise(room)
                    watch.rest()
                    watch.tell(room)
        except self._errors as error:
            raise self._translate(error) from error

    @contextmanager
    def _belled(self) -> Iterator[socket.socket]:
        """Give the end of a bell that others ring."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.setblocking(False)
            theirs.setblocking(False)
            self._bell = theirs
            try:
                yield ours
            finally:
                self._bell = None


class _Watch:
    """One connection that listens; the selector tells when it, or the bell, has something."""

    def __init__(
        self,
        connection: Any,
        bell: socket.socket,
        selector: selectors.BaseSelector,
        statements: PostgresStatements,
        tag: str,
    ) -> None:
        self._connection = connection
        self._selector = selector
        self._cursor = connection.cursor()
        self._bell = bell
        self._statements = statements
        self._own = tag
        self._heard: set[str] = set()
        self._promised: dict[str, float] = {}
        """Until when everybody notifies, for each kind that somebody waits for."""
        self._renewal = 0.0
        self._again: list[float] = []
        # What comes while a statement is under way is handed over by the driver.
        connection.add_notify_handler(lambda notify: self._hear(notify.payload))

    def execute(self, text: str) -> None:
        """Run a statement without parameters."""
        self._cursor.execute(text.encode())

    def promise(self, room: Room) -> None:
        """Say that somebody waits, if nobody could know it for much longer."""
        waiters = ((CLAIMABLE, room.has_claimers()), (FINISHED, room.has_awaited()))
        wanted = [kind for kind, is_waited_for in waiters if is_waited_for]
        now = monotonic()
        if any(self._left(kind, now) <= _RENEWED for kind in wanted):
            lapsed = any(self._left(kind, now) <= 0 for kind in wanted)
            self._cursor.execute(
                self._statements.named(_PROMISE).encode(),
                (int(_PROMISED * 1e6), wanted, int((_PROMISED + _RENEWED) / 2 * 1e6)),
            )
            left = dict(self._cursor.fetchall())
            self._promised |= {kind: now + left[kind] / 1e6 for kind in wanted}
            if lapsed:
                now = monotonic()
                self._again = [now + seconds for seconds in _AGAIN]
                room.listening()
        rest = min((self._left(kind, now) for kind in wanted), default=_PROMISED)
        self._renewal = now + rest - _RENEWED

    def _left(self, kind: str, now: float) -> float:
        """Return for how many seconds a promise still holds; not above 0 if none does."""
        return self._promised.get(kind, 0.0) - now

    def rest(self) -> None:
        """Sleep until something is heard, the bell rings, or something is due."""
        if self._heard:
            return
        until = min([self._renewal, *self._again[:1]])
        self._selector.select(max(0.0, until - monotonic()))
        with suppress(BlockingIOError):
            self._bell.recv(4096)
        self._connection.pgconn.consume_input()
        while (notify := self._connection.pgconn.notifies()) is not None:
            self._hear(notify.extra.decode())

    def tell(self, room: Room) -> None:
        """Tell what was heard, and wake once more where a commit may have gone unheard."""
        heard, self._heard = self._heard, set()
        if self._again and self._again[0] <= monotonic():
            del self._again[0]
            heard = {CLAIMABLE, FINISHED}
        if CLAIMABLE in heard:
            room.claimable()
        if FINISHED in heard:
            self._look(room)

    def _look(self, room: Room) -> None:
        if room.has_awaited():
            cursor = cast("Cursor", self._cursor)
            room.finished(lambda ids: set(ids) - self._statements.unfinished(cursor, list(ids)))

    def _hear(self, payload: str) -> None:
        kind, tag = payload[:1], payload[1:]
        if tag != self._own:  # this process has told its own threads already
            self._heard.add(kind)
