"""The state of schedulers, changed by compare-and-set."""

from __future__ import annotations

from collections.abc import Sequence

from taskkit.records import ScheduleState
from taskkit.task import NewTask
from taskkit_relational.queue.put import put_all
from taskkit_relational.store import Look, Store, Transaction


def load_schedule(store: Store, name: str) -> ScheduleState:
    """Return what is stored under a name."""

    def look(look: Look) -> ScheduleState:
        version, state = store.statements.schedule(look.cursor, name) or (0, None)
        return ScheduleState(version, state, look.now())

    return store.database.read(look)


def advance_schedule(
    store: Store, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
) -> bool:
    """Store a scheduler's state and put its tasks, if the version is still this."""

    def advance(transaction: Transaction) -> bool:
        if not store.statements.advance(transaction.cursor, name, version, state):
            return False
        if tasks:
            put_all(store, transaction, tasks, bounded=False)
        return True

    return store.database.write(advance)
