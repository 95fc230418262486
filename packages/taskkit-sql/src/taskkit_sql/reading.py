"""What became of tasks, how many there are, and where they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import sqlalchemy as sa

from taskkit.errors import InvalidInput
from taskkit.records import Count, Outcome, Page, Query, Record, Settlement
from taskkit.task import NewTask, State
from taskkit_sql.engine import cursor_of
from taskkit_sql.queue.changes import Changes
from taskkit_sql.queue.turns import ranges
from taskkit_sql.rows import insert_row, read_record, record_columns
from taskkit_sql.schema import NUMBERS, PARKED, RUNNING, STATES
from taskkit_sql.store import Store

_SWEEP: Final = 1000
"""Expired tasks that one transaction cancels."""

_ROWS: Final = 10_000
"""Ids in one statement: all that a call may have, so that it sees one state of the store."""


def sweep(store: Store) -> None:
    """Cancel what has expired, so that nobody reads it as queued; writes only if there is any."""
    with store.database.read() as connection:
        cursor = cursor_of(connection)
        expired = store.hot.has_expired(cursor, store.database.clock.now())
        cursor.close()
    while expired:
        with store.database.write() as transaction:
            changes = Changes(store, transaction)
            expired = changes.expire(_SWEEP) == _SWEEP
            changes.flush()


def get(store: Store, ids: Collection[str]) -> dict[str, Record | None]:
    """Return records by id."""
    sweep(store)
    wanted = list(dict.fromkeys(ids))
    found: dict[str, Record | None] = dict.fromkeys(wanted)
    task = store.tables.task
    with store.database.read() as connection:
        now = store.database.clock.now()
        for start in range(0, len(wanted), _ROWS):
            query = sa.select(task).where(task.c.id.in_(wanted[start : start + _ROWS]))
            for row in connection.execute(query).mappings():
                found[row["id"]] = read_record(row, now)
    return found


def is_over(store: Store, connection: sa.Connection, ids: Collection[str]) -> set[str]:
    """Return which of the tasks are finished or gone."""
    task = store.tables.task
    wanted = list(ids)
    over = set(wanted)
    for start in range(0, len(wanted), _ROWS):
        query = sa.select(task.c.id).where(
            task.c.id.in_(wanted[start : start + _ROWS]), task.c.done.is_(None)
        )
        over.difference_update(connection.execute(query).scalars())
    return over


def find(store: Store, query: Query, limit: int, after: str | None) -> Page:
    """Return a page of matching tasks."""
    if limit < 0:
        raise InvalidInput(f"find: expected a limit from 0, found {limit}")
    sweep(store)
    task = store.tables.task
    with store.database.read() as connection:
        now = store.database.clock.now()
        # Few run at any time, however many have finished: those are better sorted than looked for
        # along the ids. An expression keeps the index of ids out of it.
        few = query.states is not None and set(query.states) == {State.RUNNING}
        order = task.c.id.concat("") if few else task.c.id
        select = sa.select(task).where(*_conditions(store, query, now)).order_by(order)
        if few:
            select = select.where(task.c.state == sa.literal_column(str(RUNNING)))
        if after is not None:
            select = select.where(task.c.id > after)
        # One more than asked for tells whether there is another page.
        rows = connection.execute(select.limit(limit + 1)).mappings().all()
    records = [read_record(row, now) for row in rows[:limit]]
    more = len(rows) > limit and bool(records)
    return Page(records, records[-1].task.id if more else None)


def _conditions(store: Store, query: Query, now: int) -> Iterator[sa.ColumnElement[bool]]:
    task = store.tables.task
    if query.group is not None:
        exact, below = ranges(query.group)
        in_group = task.c.grp == exact[0]
        if query.subgroups:
            in_group |= sa.and_(task.c.grp >= below[0], task.c.grp < below[1])
        yield in_group
        # An id begins with its group and "_": that part of the index of ids, not all of it.
        yield task.c.id >= (below[0] if query.subgroups else f"{query.group}_")
        yield task.c.id < f"{query.group}`"
    if query.name is not None:
        yield task.c.name == query.name
    if query.states is not None:
        yield _in_states(task, query.states, now)
    for key, value in query.labels.items():
        yield store.dialect.has_label(task.c.labels, key, value)


def _in_states(task: sa.TableClause, states: Collection[State], now: int) -> sa.ColumnElement[bool]:
    conditions: list[sa.ColumnElement[bool]] = [
        task.c.state.in_([NUMBERS[state] for state in states if state in NUMBERS])
    ]
    if State.WAITING in states:
        conditions.append(sa.and_(task.c.state <= PARKED, task.c.due > now))
    if State.QUEUED in states:
        conditions.append(sa.and_(task.c.state <= PARKED, task.c.due <= now))
    return sa.or_(*conditions)


def count(store: Store, groups: Collection[str] | None) -> list[Count]:
    """Count tasks by group and state."""
    sweep(store)
    numbers: dict[tuple[str, State], tuple[int, int]] = {}
    with store.database.snapshot() as connection:
        now = store.database.clock.now()
        for group, number, is_late, many, due in _numbers(store, connection, groups, now):
            state = STATES[number]
            if number <= PARKED:
                state = State.WAITING if is_late else State.QUEUED
            before, oldest = numbers.get((group, state), (0, due))
            numbers[group, state] = before + many, min(oldest, due)
    return [
        Count(group, state, many, oldest)
        for (group, state), (many, oldest) in sorted(numbers.items())
    ]


# Each of these reads one partial index: what has finished is counted in the index that purges
# use, not in the rows with their payloads.
_PARTS: Final = (
    ("state = 0", True),
    ("state = 1", True),
    ("lock_key IS NOT NULL AND state = 2", True),
    ("state = 3", False),
    ("purge_at IS NOT NULL", False),
)


def _numbers(
    store: Store, connection: sa.Connection, groups: Collection[str] | None, now: int
) -> Iterator[Sequence[Any]]:
    """Yield group, number of the state, whether due later, how many, and the smallest due."""
    task = store.tables.task
    late = sa.case((task.c.due > now, sa.literal_column("1")), else_=sa.literal_column("0"))
    for condition, is_unclaimed in _PARTS:
        columns: list[sa.ColumnElement[Any]] = [task.c.grp, task.c.state]
        if is_unclaimed:
            columns.append(late)
        query = (
            sa.select(
                task.c.grp,
                task.c.state,
                late.label("late") if is_unclaimed else sa.literal_column("0").label("late"),
                sa.func.count(),
                sa.func.min(task.c.due),
            )
            .where(sa.text(condition))
            .group_by(*columns)
        )
        if groups is not None:
            query = query.where(task.c.grp.in_(list(groups)))
        yield from connection.execute(query)


def record(store: Store, task: NewTask, outcome: Settlement, began: int) -> bool:
    """Store a task that was run in place, finished."""
    if outcome.outcome not in (Outcome.SUCCEED, Outcome.FAIL):
        raise InvalidInput(f"record: expected success or failure, found {outcome.outcome}")
    table = store.tables.task
    with store.database.write() as transaction:
        if store.hot.is_known(transaction.cursor, task.id):
            return False
        # Inserted as any other, then finished: no statement of its own for a rare case. Its key
        # is left out for that moment, for another task may hold it.
        row = list(insert_row(task, transaction.now))
        row[10] = None
        store.hot.insert(transaction.cursor, row)
        columns = record_columns(task, outcome, began, transaction.now)
        transaction.connection.execute(
            sa.update(table).where(table.c.id == task.id).values(**columns)
        )
        transaction.finished.append(task.id)
    return True
