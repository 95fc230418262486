"""Nothing → waiting or ready."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from taskkit.errors import QueueFull, Unsupported
from taskkit.records import Limits, PutResult
from taskkit.task import NewTask
from taskkit_sql import controls, migrations
from taskkit_sql.engine import Transaction, cursor_of
from taskkit_sql.queue.changes import Changes
from taskkit_sql.rows import insert_row
from taskkit_sql.store import Store

WITHIN: Final = "a SQLAlchemy Connection or Session with an open transaction on the same file"

_SWEEP: Final = 1000
"""Expired tasks that one put looks at when one of them may hold a key that it wants."""


def put(store: Store, tasks: Sequence[NewTask], within: object | None) -> list[PutResult]:
    """Store tasks: all of them or none."""
    if not tasks:
        return []
    if within is not None:
        return _put_within(store, tasks, _connection(within))
    with store.database.write() as transaction:
        return put_all(store, transaction, tasks)


def _put_within(
    store: Store, tasks: Sequence[NewTask], connection: sa.Connection
) -> list[PutResult]:
    database = store.database
    with database.translating():
        if not connection.in_transaction():
            connection.begin()
        cursor = cursor_of(connection)
        try:
            store.dialect.accept(connection, cursor)
            transaction = Transaction(connection, cursor, database.clock.now())
            if not database.is_open:
                # Not by a connection of our own: it would wait for this very transaction.
                migrations.prepare_within(store, transaction)
            # The caller may go on after QueueFull, so that what was put must go by itself.
            cursor.execute("SAVEPOINT taskkit_put")
            try:
                results = put_all(store, transaction, tasks)
                if transaction.wakes:
                    store.hot.wake(cursor)
            except BaseException:
                cursor.execute("ROLLBACK TO taskkit_put")
                raise
            finally:
                cursor.execute("RELEASE taskkit_put")
        finally:
            cursor.close()
    return results


def _connection(within: object) -> sa.Connection:
    if isinstance(within, sa.Connection):
        return within
    # Never imported from here: it doubles the start-up time, and who has a session has it.
    orm: Any = sys.modules.get("sqlalchemy.orm")
    if orm is not None and isinstance(within, orm.Session | orm.scoped_session):
        session: Any = within
        connection: sa.Connection = session.connection()
        return connection
    kind = f"{type(within).__module__}.{type(within).__qualname__}"
    hint = ""
    if type(within).__name__.startswith(("AsyncSession", "AsyncConnection", "async_")):
        hint = "; use: await it.run_sync(lambda sync: kit.initiate_task(..., within=sync))"
    raise Unsupported(f"within: expected {WITHIN}, found {kind}{hint}")


def put_all(
    store: Store, transaction: Transaction, tasks: Sequence[NewTask], *, bounded: bool = True
) -> list[PutResult]:
    """Store tasks in an open transaction; ``bounded``: unless a group would hold too many."""
    limits: Mapping[str, Limits] = {}
    if bounded:
        version = store.hot.store(transaction.cursor)[2]
        limits = controls.current(store, transaction.connection, version).limits
    plain = all(task.unique_key is None and task.group not in limits for task in tasks)
    if plain and len({task.id for task in tasks}) == len(tasks):
        results = _put_plain(store, transaction, tasks)
    else:
        results = _put_each(store, transaction, tasks, limits)
    transaction.wakes |= any(result.status == "put" for result in results)
    return results


def _put_plain(store: Store, transaction: Transaction, tasks: Sequence[NewTask]) -> list[PutResult]:
    rows = [insert_row(task, transaction.now) for task in tasks]
    inserted = store.hot.insert_many(transaction.cursor, rows)
    if inserted is None:
        return [PutResult(task.id) for task in tasks]
    put_ids = set(inserted)
    return [PutResult(task.id, "put" if task.id in put_ids else "known") for task in tasks]


def _put_each(
    store: Store, transaction: Transaction, tasks: Sequence[NewTask], limits: Mapping[str, Limits]
) -> list[PutResult]:
    hot, cursor, now = store.hot, transaction.cursor, transaction.now
    if limits or any(task.unique_key is not None for task in tasks):
        # What has expired takes no room and holds no key.
        changes = Changes(store, transaction)
        changes.expire(_SWEEP)
        changes.flush()
    room = _Room(store, transaction, limits)
    results: list[PutResult] = []
    for task in tasks:
        if hot.insert(cursor, insert_row(task, now)):
            room.use(task.group)
            results.append(PutResult(task.id))
        elif hot.is_known(cursor, task.id):
            results.append(PutResult(task.id, "known"))
        else:
            assert task.unique_key is not None
            holder = hot.holder(cursor, task.group, task.unique_key)
            assert holder is not None
            results.append(PutResult(holder, "duplicate"))
    return results


class _Room:
    """How many more tasks the groups of one put may hold."""

    def __init__(
        self, store: Store, transaction: Transaction, limits: Mapping[str, Limits]
    ) -> None:
        self._store = store
        self._cursor = transaction.cursor
        self._limits = limits
        self._left: dict[str, int] = {}

    def use(self, group: str) -> None:
        """Count a task that was inserted; raise if it was one too many."""
        limits = self._limits.get(group)
        if limits is None or limits.max_queue_size is None:
            return
        most = limits.max_queue_size
        if group not in self._left:
            # With the one just inserted; one beyond the limit tells as much as a thousand.
            held = self._store.hot.unclaimed(self._cursor, group, most + 1)
            self._left[group] = most - held
        else:
            self._left[group] -= 1
        if self._left[group] < 0:
            raise QueueFull(group, most)
