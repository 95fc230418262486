"""How waiting threads learn that something may be claimable, or that a task is over.

Within a process a commit tells them directly. For other processes one thread watches the store,
only while somebody waits: the dialect tells it when a look may be worth while, SQLite's
``data_version`` whether another connection has committed, and the store's count of wakes whether
that commit concerns anybody.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import Final

import sqlalchemy as sa

from taskkit.clock import Clock, ManualClock, monotonic, sleep
from taskkit.errors import BackendError
from taskkit_sql import reading
from taskkit_sql.dialects import Watch
from taskkit_sql.engine import Transaction, cursor_of
from taskkit_sql.store import Store

_LINGER_SECONDS: Final = 5.0
"""How long the thread stays without anybody waiting: a claimer is soon back."""
_AFTER_ERROR_SECONDS: Final = 0.5

_NAME: Final = "taskkit-sql-wakeup"

_log = logging.getLogger("taskkit.sql.wakeup")


class Wakeup:
    """The waiting room of one backend."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._closed = False
        self._reset()
        store.database.forking.append(self._give_way)
        store.database.forked.append(self._reset)
        store.database.committed = self._committed
        _listen(store.database.clock, self)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._news = 0
        self._known = 0
        """The newest count of wakes that waiting threads have been told of."""
        self._waiting = 0
        self._awaited: dict[str, list[threading.Event]] = {}
        self._thread: threading.Thread | None = None
        self._watching: Watch | None = None
        self._giving_way = False
        self._claimed = threading.local()
        self._last_claimed = -1

    # ---- telling

    def claimed(self, wakes: int) -> None:
        """Remember what the store's count of wakes was when this thread claimed."""
        self._claimed.wakes = self._last_claimed = wakes

    def tell(self) -> None:
        """Wake everyone: something may be claimable, or over."""
        with self._changed:
            self._news += 1
            self._changed.notify_all()
            events = [event for waiting in self._awaited.values() for event in waiting]
        for event in events:
            event.set()

    def _committed(self, transaction: Transaction, wakes: int | None) -> None:
        if wakes is not None:
            with self._changed:
                self._news += 1
                # Whoever wakes now claims after this commit and all before it.
                self._known = max(self._known, wakes)
                self._changed.notify_all()
        if self._awaited and transaction.finished:
            self._over(transaction.finished)

    def _over(self, ids: Iterable[str]) -> None:
        with self._changed:
            events = [event for task_id in ids for event in self._awaited.get(task_id, ())]
        for event in events:
            event.set()

    def close(self) -> None:
        """Wake everyone for good."""
        self._closed = True
        self.tell()
        with self._changed:
            if self._watching is not None:
                self._watching.interrupt()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=5)

    def _give_way(self) -> None:
        """Give the watching connection back for a moment, because the process forks."""
        with self._changed:
            if self._thread is not None:
                self._giving_way = True
                self._changed.notify_all()
            if self._watching is not None:
                self._watching.interrupt()

    # ---- waiting

    def wait(self, timeout: float) -> bool:
        """Block until something may be claimable; return whether that was so."""
        return self._until_closed(lambda: self._wait(monotonic() + timeout))

    def wait_done(self, task_id: str, timeout: float) -> bool:
        """Block until a task is finished or gone; return whether it is."""
        return self._until_closed(lambda: self._wait_done(task_id, monotonic() + timeout))

    def _until_closed(self, waiting: Callable[[], bool]) -> bool:
        try:
            return not self._closed and waiting()
        except BackendError:
            # Closed in the middle of a look at the store.
            if self._closed:
                return False
            raise

    def _wait(self, deadline: float) -> bool:
        with self._changed:
            news = self._news
        # A put may have slipped in between the claim (this thread's, or else the last one's) and
        # now. At worst this wakes in vain, once.
        wakes = self._wakes()
        if wakes != getattr(self._claimed, "wakes", self._last_claimed):
            self._claimed.wakes = wakes
            return True
        with self._changed:
            self._watch(wakes)
            try:
                return self._changed.wait_for(
                    lambda: self._news != news, max(0.0, deadline - monotonic())
                )
            finally:
                self._waiting -= 1

    def _wait_done(self, task_id: str, deadline: float) -> bool:
        event = threading.Event()
        wakes = self._wakes()
        with self._changed:
            self._awaited.setdefault(task_id, []).append(event)
            self._watch(wakes)
        try:
            # After entering, so that an end in between is not missed.
            while not self._is_over(task_id):
                if not event.wait(max(0.0, deadline - monotonic())) or self._closed:
                    return False
                event.clear()
            return True
        finally:
            with self._changed:
                self._waiting -= 1
                self._awaited[task_id].remove(event)
                if not self._awaited[task_id]:
                    del self._awaited[task_id]

    def _is_over(self, task_id: str) -> bool:
        with self._store.database.read() as connection:
            return bool(reading.is_over(self._store, connection, [task_id]))

    def _wakes(self) -> int:
        row = self._store.tables.store
        with self._store.database.read() as connection:
            return int(connection.execute(sa.select(row.c.wakes)).scalar_one())

    # ---- watching

    def _watch(self, wakes: int) -> None:
        """Count one who waits, and see to it that the thread runs; the lock is held."""
        if self._closed:
            self._news += 1
        self._waiting += 1
        self._changed.notify_all()
        if self._thread is None and not self._closed:
            self._known = wakes
            self._thread = threading.Thread(target=self._run, name=_NAME, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        is_told = False
        while True:
            try:
                with self._store.database.reading() as connection:
                    self._look(connection)
                is_told = False
            except BackendError:
                if not self._closed:
                    if not is_told:
                        _log.warning("cannot watch the store; trying again", exc_info=True)
                    is_told = True
                    # Nobody can say what was missed.
                    self.tell()
                    sleep(_AFTER_ERROR_SECONDS)
            with self._changed:
                self._giving_way = False
                # Under the lock: whoever waits from now on starts another thread.
                if self._closed or not self._waiting:
                    self._thread = None
                    return

    def _look(self, connection: sa.Connection) -> None:
        """Watch the store until nobody has waited for a while."""
        dialect, cursor = self._store.dialect, cursor_of(connection)
        version = dialect.change(cursor)
        # What was committed before the first look counts as a change.
        self._inspect(connection, dialect.hot.store(cursor)[1])
        watch = self._watching = dialect.watch()
        changed = True
        try:
            while self._is_wanted():
                found = dialect.change(cursor)
                changed, version = found != version, found
                if changed:
                    self._inspect(connection, dialect.hot.store(cursor)[1])
                watch.rest(changed)
        finally:
            with self._changed:
                self._watching = None
            watch.close()

    def _inspect(self, connection: sa.Connection, wakes: int) -> None:
        """See whom a commit concerns."""
        with self._changed:
            if wakes != self._known:
                self._known = wakes
                self._news += 1
                self._changed.notify_all()
            awaited = list(self._awaited)
        if awaited:
            self._over(reading.is_over(self._store, connection, awaited))

    def _is_wanted(self) -> bool:
        with self._changed:
            if not self._waiting:
                self._changed.wait_for(self._is_due_to_act, _LINGER_SECONDS)
            return self._waiting > 0 and not self._closed and not self._giving_way

    def _is_due_to_act(self) -> bool:
        return self._waiting > 0 or self._closed or self._giving_way


def _listen(clock: Clock, wakeup: Wakeup) -> None:
    """Wake everyone whenever a clock is moved by hand."""
    if isinstance(clock, ManualClock):
        # A clock outlives many backends: it must not keep them.
        reference = weakref.ref(wakeup)
        clock.listen(_teller(reference))


def _teller(reference: weakref.ref[Wakeup]) -> Callable[[], None]:
    def tell() -> None:
        wakeup = reference()
        if wakeup is not None:
            wakeup.tell()

    return tell
