"""The state of schedulers, changed by compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from taskkit.records import ScheduleState
from taskkit.task import NewTask
from taskkit_sql.queue.put import put_all
from taskkit_sql.store import Store


def load_schedule(store: Store, name: str) -> ScheduleState:
    """Return what is stored under a name."""
    table = store.tables.schedule
    query = sa.select(table.c.version, table.c.state).where(table.c.name == name)
    with store.database.read() as connection:
        row = connection.execute(query).first()
    version, state = (0, None) if row is None else row
    return ScheduleState(version, state, store.database.clock.now())


def advance_schedule(
    store: Store, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
) -> bool:
    """Store a scheduler's state and put its tasks, if the version is still this."""
    table = store.tables.schedule
    with store.database.write() as transaction:
        query = sa.select(table.c.version).where(table.c.name == name)
        found = transaction.connection.execute(query).scalar()
        if (found or 0) != version:
            return False
        values = {"version": version + 1, "state": state}
        if found is None:
            transaction.connection.execute(sa.insert(table).values(name=name, **values))
        else:
            transaction.connection.execute(
                sa.update(table).where(table.c.name == name).values(**values)
            )
        if tasks:
            put_all(store, transaction, tasks, bounded=False)
    return True
