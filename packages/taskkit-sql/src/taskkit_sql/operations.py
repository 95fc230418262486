"""What people and programs do to tasks outside the hot path."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

import sqlalchemy as sa

from taskkit.clock import SECOND
from taskkit.errors import InvalidInput
from taskkit.records import Answered
from taskkit.task import Instant, State
from taskkit_sql import reading
from taskkit_sql.engine import Transaction
from taskkit_sql.queue.changes import Changes, Row
from taskkit_sql.rows import resolve
from taskkit_sql.schema import CANCELLED, FAILED, LOST, NUMBERS, PARKED, RUNNING
from taskkit_sql.store import Store

_BATCH: Final = 1000
"""Tasks that one transaction purges: a few milliseconds in which nobody else can write."""

_DISCARDS_KEPT: Final = 3600 * SECOND
"""How long a discard is remembered: far longer than its repetition can be on its way."""


def cancel(store: Store, ids: Collection[str]) -> dict[str, Answered]:
    """Cancel tasks, or ask their workers to."""
    answers: dict[str, Answered] = {}
    with store.database.write() as transaction:
        changes = _after_sweep(store, transaction)
        for row in _known(changes, ids, answers):
            if row.state == RUNNING:
                changes.ask_to_cancel(row)
                answers[row.id] = Answered.REQUESTED
            elif row.state <= PARKED:
                changes.cancel(row)
                answers[row.id] = Answered.DONE
        changes.flush()
    return answers


def requeue(store: Store, ids: Collection[str], due: Instant) -> dict[str, Answered]:
    """Put finished tasks that did not succeed back in the queue."""
    answers: dict[str, Answered] = {}
    with store.database.write() as transaction:
        changes = _after_sweep(store, transaction)
        for row in _known(changes, ids, answers):
            if row.state in (FAILED, LOST, CANCELLED) and changes.superseded_by(row) is None:
                row.retry_count = row.losses = 0
                row.expires = None
                changes.requeue(row, resolve(due, transaction.now))
                answers[row.id] = Answered.DONE
        changes.flush()
    return answers


def reschedule(store: Store, ids: Collection[str], due: Instant) -> dict[str, Answered]:
    """Change the due of unclaimed tasks."""
    answers: dict[str, Answered] = {}
    with store.database.write() as transaction:
        changes = _after_sweep(store, transaction)
        for row in _known(changes, ids, answers):
            if row.state <= PARKED:
                changes.reschedule(row, resolve(due, transaction.now))
                answers[row.id] = Answered.DONE
        changes.flush()
    return answers


def delete(store: Store, ids: Collection[str]) -> dict[str, Answered]:
    """Remove tasks."""
    answers: dict[str, Answered] = {}
    with store.database.write() as transaction:
        changes = Changes(store, transaction)
        for row in _known(changes, ids, answers):
            changes.remove(row)
            answers[row.id] = Answered.DONE
        changes.flush()
    return answers


def _after_sweep(store: Store, transaction: Transaction) -> Changes:
    changes = Changes(store, transaction)
    if store.hot.has_expired(transaction.cursor, transaction.now):
        while changes.expire(_BATCH):
            changes.flush()
    return changes


def _known(changes: Changes, ids: Collection[str], answers: dict[str, Answered]) -> Iterator[Row]:
    """Yield the rows of known ids; what the caller says nothing about is refused."""
    wanted = list(dict.fromkeys(ids))
    rows = changes.by_id(wanted)
    for task_id in wanted:
        answers[task_id] = Answered.REFUSED if task_id in rows else Answered.UNKNOWN
    for task_id in wanted:
        if task_id in rows:
            yield rows[task_id]


def purge(
    store: Store, limit: int, states: Collection[State] | None, older_than: int | None
) -> int:
    """Remove finished tasks and return how many."""
    if limit < 0:
        raise InvalidInput(f"purge: expected a limit from 0, found {limit}")
    if states is None and older_than is None:
        reading.sweep(store)
        _forget_discards(store)
    purged = 0
    while purged < limit:
        most = min(_BATCH, limit - purged)
        with store.database.write() as transaction:
            found = _purgeable(store, transaction, most, states, older_than)
            if found:
                store.hot.remove(transaction.cursor, [seq for seq, _id in found])
                transaction.finished.extend(task_id for _seq, task_id in found)
        purged += len(found)
        if len(found) < most:
            break
    return purged


def _purgeable(
    store: Store,
    transaction: Transaction,
    most: int,
    states: Collection[State] | None,
    older_than: int | None,
) -> list[tuple[int, str]]:
    task = store.tables.task
    numbers = None if states is None else {NUMBERS[s] for s in states if s in NUMBERS}
    found: list[tuple[int, str]] = []
    for group, state in _finished(store, transaction):
        if numbers is not None and state not in numbers:
            continue
        query = sa.select(task.c.seq, task.c.id).where(
            task.c.purge_at.is_not(None), task.c.grp == group, task.c.state == state
        )
        if states is None and older_than is None:
            query = query.where(task.c.purge_at <= transaction.now)
        elif older_than is not None:
            query = query.where(task.c.done <= older_than)
        rows = transaction.connection.execute(query.limit(most - len(found)))
        found.extend((seq, task_id) for seq, task_id in rows)
        if len(found) >= most:
            break
    return found


def _finished(store: Store, transaction: Transaction) -> Iterator[tuple[str, int]]:
    """Yield each group and state that has finished tasks: a loose scan, one seek for each."""
    task = store.tables.task
    pair = sa.tuple_(task.c.grp, task.c.state)
    query = (
        sa.select(task.c.grp, task.c.state)
        .where(task.c.purge_at.is_not(None))
        .order_by(task.c.grp, task.c.state)
        .limit(1)
    )
    row = transaction.connection.execute(query).first()
    while row is not None:
        group, state = row
        yield group, state
        behind = query.where(pair > sa.tuple_(sa.literal(group), sa.literal(state)))
        row = transaction.connection.execute(behind).first()


def _forget_discards(store: Store) -> None:
    table = store.tables.discard
    old = store.database.clock.now() - _DISCARDS_KEPT
    with store.database.read() as connection:
        any_old = connection.execute(sa.select(table.c.id).where(table.c.at <= old).limit(1))
        found = any_old.first() is not None
    if found:
        with store.database.write() as transaction:
            transaction.connection.execute(sa.delete(table).where(table.c.at <= old))


def clear(store: Store) -> None:
    """Remove everything from the tables of this store."""
    with store.database.write() as transaction:
        for table in store.tables.contents():
            transaction.connection.execute(sa.delete(table))
        # Tokens go on: a claim from before must not fit a task that is put after.
        row = store.tables.store
        transaction.connection.execute(sa.update(row).values(controls=row.c.controls + 1))
        transaction.wakes = True
