"""What became of tasks, how many there are, and where they are."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final, TypeVar

from taskkit.errors import InvalidInput
from taskkit.records import Count, Outcome, Page, Query, Record, Settlement
from taskkit.task import DEFAULT_MAX_HISTORY, NewTask, State
from taskkit_relational.history import attempt_entry, dump, dump_failure
from taskkit_relational.queue.changes import UNSAID, Changes, Row
from taskkit_relational.rows import insert_row, read_record
from taskkit_relational.schema import FAILED, NUMBERS, OUTCOMES, PARKED, STATES, SUCCEEDED
from taskkit_relational.statements import Search
from taskkit_relational.store import Look, Store, Transaction

_SWEEP: Final = 1000
"""Expired tasks that one transaction cancels."""

_ROWS: Final = 10_000
"""Ids in one statement: all that a call may have, so that it sees one state of the store."""

T = TypeVar("T")


def sweep(store: Store) -> bool:
    """Cancel what has expired, so that nobody reads it as queued; writes only if there is any.

    Returns whether this call has cancelled any.
    """

    def work(transaction: Transaction) -> int:
        changes = Changes(store, transaction)
        found = changes.expire(_SWEEP)
        changes.flush()
        return found

    if not store.database.read(lambda look: store.statements.has_expired(look.cursor, look.now())):
        return False
    found = cancelled = store.database.write(work)
    while found == _SWEEP:
        found = store.database.write(work)
    return cancelled > 0


def get(store: Store, ids: Collection[str]) -> dict[str, Record | None]:
    """Return records by id."""
    sweep(store)
    wanted = list(dict.fromkeys(ids))

    def work(look: Look) -> dict[str, Record | None]:
        found: dict[str, Record | None] = dict.fromkeys(wanted)
        now = look.now()
        for some in _portions(wanted):
            for row in store.statements.records(look.cursor, some):
                record = read_record(row, now)
                found[record.task.id] = record
        return found

    return store.database.read(work)


def over(store: Store, look: Look, ids: Collection[str]) -> set[str]:
    """Return which of the tasks are finished or gone."""
    wanted = list(ids)
    found = set(wanted)
    for some in _portions(wanted):
        found -= store.statements.unfinished(look.cursor, some)
    return found


def _portions(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _ROWS):
        yield items[start : start + _ROWS]


def find(store: Store, query: Query, limit: int, after: str | None) -> Page:
    """Return a page of matching tasks."""
    if limit < 0:
        raise InvalidInput(f"find: expected a limit from 0, found {limit}")
    sweep(store)

    def work(look: Look) -> Page:
        now = look.now()
        # One more than asked for tells whether there is another page.
        rows = store.statements.find(look.cursor, _search(query, now, after), limit + 1)
        records = [read_record(row, now) for row in rows[:limit]]
        more = len(rows) > limit and bool(records)
        return Page(records, records[-1].task.id if more else None)

    return store.database.read(work)


def _search(query: Query, now: int, after: str | None) -> Search:
    states = query.states
    return Search(
        now=now,
        group=query.group,
        subgroups=query.subgroups,
        name=query.name,
        numbers=None if states is None else [NUMBERS[s] for s in states if s in NUMBERS],
        waiting=states is not None and State.WAITING in states,
        queued=states is not None and State.QUEUED in states,
        labels=query.labels,
        after=after,
    )


def count(store: Store, groups: Collection[str] | None) -> list[Count]:
    """Count tasks by group and state."""
    sweep(store)
    wanted = None if groups is None else list(groups)

    def work(look: Look) -> list[Count]:
        numbers: dict[tuple[str, State], tuple[int, int]] = {}
        rows = store.statements.counts(look.cursor, wanted, look.now())
        for group, number, is_late, many, due in rows:
            state = STATES[number]
            if number <= PARKED:
                state = State.WAITING if is_late else State.QUEUED
            before, oldest = numbers.get((group, state), (0, due))
            numbers[group, state] = before + many, min(oldest, due)
        return [
            Count(group, state, many, oldest)
            for (group, state), (many, oldest) in sorted(numbers.items())
        ]

    return store.database.snapshot(work)


def record(store: Store, task: NewTask, outcome: Settlement, began: int) -> bool:
    """Store a task that was run in place, finished."""
    if outcome.outcome not in (Outcome.SUCCEED, Outcome.FAIL):
        raise InvalidInput(f"record: expected success or failure, found {outcome.outcome}")

    def work(transaction: Transaction) -> bool:
        cursor, statements = transaction.cursor, store.statements
        # Inserted as any other, then finished: no statement of its own for a rare case. Its slot
        # is left out, for another task may hold it.
        fresh = insert_row(task, transaction.now, takes_slot=False)
        if statements.insert(cursor, [fresh]) is not None:
            return False
        for row in statements.load(cursor, [task.id]):
            statements.save(cursor, [_ended(Row(*row), outcome, began, transaction.now).saved()])
        transaction.finished.append(task.id)
        return True

    return store.database.write(work)


def _ended(row: Row, outcome: Settlement, began: int, now: int) -> Row:
    row.attempt, row.worker_id, row.began, row.done = 1, "", began, now
    row.purge_at = now + row.retention
    row.settled = OUTCOMES[outcome.outcome]
    if outcome.outcome is Outcome.SUCCEED:
        row.state, row.result = SUCCEEDED, outcome.result
        return row
    row.state, row.failure = FAILED, dump_failure(outcome.failure or UNSAID)
    if row.option("max_history", DEFAULT_MAX_HISTORY) > 0:
        entry = attempt_entry(1, began, now, "", outcome.outcome, outcome.failure)
        row.history = dump([entry])
    return row
