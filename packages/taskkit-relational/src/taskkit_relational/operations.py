"""What people and programs do to tasks outside the hot path."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final

from taskkit.clock import SECOND
from taskkit.errors import InvalidInput
from taskkit.limits import resolve
from taskkit.records import Answered
from taskkit.task import Instant, State
from taskkit_relational import reading
from taskkit_relational.queue.changes import Changes, Row
from taskkit_relational.schema import CANCELLED, FAILED, LOST, NUMBERS, PARKED, RUNNING
from taskkit_relational.statements import Key
from taskkit_relational.store import Store, Transaction

_BATCH: Final = 1000
"""Tasks that one transaction purges: a few milliseconds in which nobody else can write SQLite."""

_DISCARDS_KEPT: Final = 3600 * SECOND
"""How long a discard is remembered: far longer than its repetition can be on its way."""

_Change = Callable[[Changes, Row], Answered | None]
"""Changes a row and says how; None: it is refused."""


def cancel(store: Store, ids: Collection[str]) -> dict[str, Answered]:
    """Cancel tasks, or ask their workers to."""

    def change(changes: Changes, row: Row) -> Answered | None:
        if row.state == RUNNING:
            changes.ask_to_cancel(row)
            return Answered.REQUESTED
        if row.state <= PARKED:
            changes.cancel(row)
            return Answered.DONE
        return None

    return _change_each(store, ids, change)


def requeue(store: Store, ids: Collection[str], due: Instant) -> dict[str, Answered]:
    """Put finished tasks that did not succeed back in the queue."""

    def change(changes: Changes, row: Row) -> Answered | None:
        if row.state not in (FAILED, LOST, CANCELLED) or changes.superseded_by(row) is not None:
            return None
        row.retry_count = row.losses = 0
        row.expires = None
        changes.requeue(row, resolve(due, changes.now))
        return Answered.DONE

    return _change_each(store, ids, change)


def reschedule(store: Store, ids: Collection[str], due: Instant) -> dict[str, Answered]:
    """Change the due of unclaimed tasks."""

    def change(changes: Changes, row: Row) -> Answered | None:
        if row.state > PARKED:
            return None
        changes.reschedule(row, resolve(due, changes.now))
        return Answered.DONE

    return _change_each(store, ids, change)


def delete(store: Store, ids: Collection[str]) -> dict[str, Answered]:
    """Remove tasks."""

    def change(changes: Changes, row: Row) -> Answered:
        changes.remove(row)
        return Answered.DONE

    return _change_each(store, ids, change, sweeps=False)


def _change_each(
    store: Store, ids: Collection[str], change: _Change, *, sweeps: bool = True
) -> dict[str, Answered]:
    wanted = list(dict.fromkeys(ids))

    def work(transaction: Transaction) -> dict[str, Answered]:
        changes = Changes(store, transaction)
        if sweeps and store.statements.has_expired(transaction.cursor, transaction.now):
            while changes.expire(_BATCH):
                changes.flush()
        rows = changes.by_id(wanted)
        answers = {
            task_id: (change(changes, rows[task_id]) or Answered.REFUSED)
            if task_id in rows
            else Answered.UNKNOWN
            for task_id in wanted
        }
        changes.flush()
        return answers

    return store.database.write(work)


def purge(
    store: Store, limit: int, states: Collection[State] | None, older_than: int | None
) -> int:
    """Remove finished tasks and return how many."""
    if limit < 0:
        raise InvalidInput(f"purge: expected a limit from 0, found {limit}")
    is_routine = states is None and older_than is None
    if is_routine:
        reading.sweep(store)
        _forget_discards(store)
    numbers = None if states is None else {NUMBERS[s] for s in states if s in NUMBERS}

    def work(transaction: Transaction) -> int:
        most = min(_BATCH, limit - purged)
        purge_at = transaction.now if is_routine else None
        found = _purgeable(store, transaction, most, numbers, purge_at, older_than)
        if found:
            store.statements.remove(transaction.cursor, [key for key, _id in found])
            transaction.finished.extend(task_id for _key, task_id in found)
        return len(found)

    purged = 0
    while purged < limit:
        found = store.database.write(work)
        purged += found
        if found < _BATCH:
            break
    return purged


def _purgeable(
    store: Store,
    transaction: Transaction,
    most: int,
    numbers: Collection[int] | None,
    purge_at: int | None,
    done: int | None,
) -> list[tuple[Key, str]]:
    found: list[tuple[Key, str]] = []
    for group, number in _finished(store, transaction):
        if numbers is not None and number not in numbers:
            continue
        found += store.statements.purgeable(
            transaction.cursor, group, number, most - len(found), purge_at, done
        )
        if len(found) >= most:
            break
    return found


def _finished(store: Store, transaction: Transaction) -> Iterator[tuple[str, int]]:
    """Yield each group and state that has finished tasks: a loose scan, one seek for each."""
    pair = store.statements.next_finished(transaction.cursor, "", 0)
    while pair is not None:
        yield pair
        pair = store.statements.next_finished(transaction.cursor, *pair)


def _forget_discards(store: Store) -> None:
    store.database.write(
        lambda transaction: store.statements.forget_discards(
            transaction.cursor, transaction.now - _DISCARDS_KEPT
        )
    )


def clear(store: Store) -> None:
    """Remove everything from the tables of this store."""

    def work(transaction: Transaction) -> None:
        # Tokens go on: a claim from before must not fit a task that is put after.
        store.statements.clear(transaction.cursor)
        store.statements.steer(transaction.cursor)
        transaction.wakes = True

    store.database.write(work)
