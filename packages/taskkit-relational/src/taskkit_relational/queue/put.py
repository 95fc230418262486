"""Nothing → waiting or ready."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from taskkit.errors import BackendError, QueueFull
from taskkit.records import PutResult
from taskkit.task import NewTask
from taskkit_relational import controls, reading
from taskkit_relational.gates import queue_gate
from taskkit_relational.queue.alone import put_alone
from taskkit_relational.queue.changes import Changes
from taskkit_relational.rows import insert_rows
from taskkit_relational.store import Store, Transaction

_SWEEP: Final = 1000
"""Expired tasks that a put takes out first. If there are more, one that holds a key that is wanted
goes by itself; and for room they go in transactions of their own, which are not long ones."""

_TRIES: Final = 20
"""How often a key can become free between the insert that found it taken and the look for whoever
holds it, before the put gives up."""


def put(store: Store, tasks: Sequence[NewTask], within: object | None) -> list[PutResult]:
    """Store tasks: all of them or none."""
    if not tasks:
        return []

    if within is None and len(tasks) == 1:
        alone = put_alone(store, tasks[0])
        if alone is not None:
            return [alone]

    if within is not None:
        return store.database.join(
            within, lambda transaction: put_all(store, transaction, tasks, joined=True)
        )
    while True:
        try:
            return store.database.write(lambda transaction: put_all(store, transaction, tasks))
        except QueueFull:
            # Perhaps of what has expired, if there was more of it than the put has taken out.
            if not reading.sweep(store):
                raise


def put_all(
    store: Store,
    transaction: Transaction,
    tasks: Sequence[NewTask],
    *,
    bounded: bool = True,
    joined: bool = False,
) -> list[PutResult]:
    """Store tasks in an open transaction.

    Args:
        store: Where.
        transaction: In which.
        tasks: All of them, or none.
        bounded: Unless a group would hold too many.
        joined: Whether the transaction is a caller's: then no other can make room.
    """
    limits = controls.current(store, transaction).limits if bounded else {}
    sizes = {
        group: limits[group].max_queue_size
        for group in {task.group for task in tasks} & limits.keys()
        if limits[group].max_queue_size is not None
    }
    if sizes:
        names = [queue_gate(group) for group in sizes]
        store.statements.gates(transaction.cursor, names, wait=True)
    if sizes or any(task.unique_key is not None for task in tasks):
        # What has expired takes no room and holds no key.
        changes = Changes(store, transaction)
        while changes.expire(_SWEEP) == _SWEEP and sizes and joined:
            changes.flush()
        changes.flush()
    results = _insert(store, transaction, tasks)
    _check_sizes(store, transaction, tasks, results, sizes)
    transaction.wakes |= any(result.status == "put" for result in results)
    return results


def _insert(store: Store, transaction: Transaction, tasks: Sequence[NewTask]) -> list[PutResult]:
    if all(task.unique_key is None for task in tasks):
        rows = insert_rows(tasks, transaction.now)
        inserted = store.statements.insert(transaction.cursor, rows)
        if inserted is None:
            return [PutResult(task.id) for task in tasks]
        return _once(tasks, inserted, {})
    # The first of two with one id may find its key taken, and then the second is put: which of them
    # it was, the answer to one statement would not tell.
    parts = _without_repetition(tasks)
    return [result for part in parts for result in _insert_keyed(store, transaction, part)]


def _without_repetition(tasks: Sequence[NewTask]) -> Iterator[list[NewTask]]:
    """Yield tasks in their order, in parts in which no id comes twice; nearly always one."""
    part: dict[str, NewTask] = {}
    for task in tasks:
        if task.id in part:
            yield list(part.values())
            part = {}
        part[task.id] = task
    yield list(part.values())


def _insert_keyed(
    store: Store, transaction: Transaction, tasks: Sequence[NewTask]
) -> list[PutResult]:
    cursor, statements = transaction.cursor, store.statements
    rows = insert_rows(tasks, transaction.now)
    put_ids: set[str] = set()
    others: dict[str, PutResult] = {}
    rest = list(tasks)
    for _ in range(_TRIES):
        wanted = {task.id for task in rest}
        inserted = statements.insert(
            cursor, [row for row, task in zip(rows, tasks, strict=True) if task.id in wanted]
        )
        put_ids |= wanted if inserted is None else inserted
        rest = [task for task in rest if task.id not in put_ids]
        others |= _found(store, transaction, rest, put_ids)
        rest = [task for task in rest if task.id not in others]
        if not rest:
            return _once(tasks, put_ids, others)
    raise BackendError(
        f"put: expected unique key {rest[0].unique_key!r} of group {rest[0].group!r} to be free or "
        f"held, found it changing hands {_TRIES} times in a row; put the task again"
    )


def _found(
    store: Store, transaction: Transaction, absent: Sequence[NewTask], put_ids: Collection[str]
) -> dict[str, PutResult]:
    """Return why tasks were not inserted: by id, known or duplicate."""
    if not absent:
        return {}
    known = store.statements.known(transaction.cursor, list({task.id for task in absent}))
    slots = {
        (task.group, task.unique_key)
        for task in absent
        if task.id not in known and task.unique_key is not None
    }
    holders = _holders(store, transaction, slots, put_ids) if slots else {}
    answers: dict[str, PutResult] = {}
    for task in absent:
        if task.id in known:
            answers[task.id] = PutResult(task.id, "known")
        elif (task.group, task.unique_key) in holders:
            answers[task.id] = PutResult(holders[task.group, task.unique_key], "duplicate")
    return answers


def _holders(
    store: Store,
    transaction: Transaction,
    slots: Collection[tuple[str, str]],
    put_ids: Collection[str],
) -> dict[Any, str]:
    """Return who holds which of the slots, and take out who held one until it expired."""
    cursor = transaction.cursor
    holders = store.statements.holders(cursor, sorted(slots))
    # What this very put has put holds its keys for as long as that lasts.
    others = set(holders.values()).difference(put_ids)
    if others and store.statements.has_expired(cursor, transaction.now):
        changes = Changes(store, transaction)
        gone = changes.expire_of(others)
        changes.flush()
        holders = {slot: holder for slot, holder in holders.items() if holder not in gone}
    return holders


def _once(
    tasks: Sequence[NewTask], put_ids: set[str], others: Mapping[str, PutResult]
) -> list[PutResult]:
    """Answer for each task; an id that comes twice was put by its first."""
    results: list[PutResult] = []
    left = set(put_ids)
    for task in tasks:
        if task.id in left:
            left.discard(task.id)
            results.append(PutResult(task.id))
        elif task.id in put_ids:
            results.append(PutResult(task.id, "known"))
        else:
            results.append(others.get(task.id, PutResult(task.id, "known")))
    return results


def _check_sizes(
    store: Store,
    transaction: Transaction,
    tasks: Sequence[NewTask],
    results: Sequence[PutResult],
    sizes: Mapping[str, int | None],
) -> None:
    """Raise if a group that has grown holds too many now."""
    grown = {
        task.group for task, result in zip(tasks, results, strict=True) if result.status == "put"
    }
    for group in sorted(grown & sizes.keys()):
        most = sizes[group]
        assert most is not None
        # One beyond the limit tells as much as a thousand.
        if store.statements.unclaimed(transaction.cursor, group, most + 1) > most:
            raise QueueFull(group, most)


__all__ = ["put", "put_all"]
