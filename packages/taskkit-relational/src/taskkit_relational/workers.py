"""Leases: who is alive, and what becomes of the work of the dead.

The worker's row is the fence between a worker's claims and its heartbeats: a claim holds it
shared until it commits, a heartbeat alone. So what a heartbeat does not see running was claimed
with a token behind its mark.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from taskkit.errors import Corrupt, InvalidInput
from taskkit.records import Heartbeat, Reclaimed, WorkerInfo, WorkerRecord
from taskkit_relational import controls
from taskkit_relational.history import dump
from taskkit_relational.queue.changes import Changes
from taskkit_relational.schema import RUNNING
from taskkit_relational.statements import Cursor
from taskkit_relational.store import Alone, Look, Store, Transaction

_ALL = 1 << 31
"""More tasks than a worker can run."""


def register(store: Store, info: WorkerInfo, lease: int) -> None:
    """Enter a worker."""
    told = dump([dict(info.groups), info.host, info.pid, info.version])

    def work(transaction: Transaction) -> None:
        cursor, now = transaction.cursor, transaction.now
        # Of an earlier life of this id only the running tasks are left: their claims are older
        # than this mark, so the next heartbeat gives back what it does not name.
        mark = store.statements.token(cursor)
        store.statements.enter(cursor, info.id, told, now, now + lease, mark)

    store.database.write(work)


def heartbeat(
    store: Store,
    worker_id: str,
    lease: int,
    held: Collection[tuple[str, int]],
    progress: Mapping[str, bytes],
) -> Heartbeat:
    """Renew a lease and exchange what both sides know."""
    if not held and not progress:
        idle = _idle(store, worker_id, lease)
        if idle is not None:
            return idle

    def work(transaction: Transaction) -> Heartbeat:
        cursor, now = transaction.cursor, transaction.now
        mark = store.statements.token(cursor)
        renewed = store.statements.renew(cursor, worker_id, now, now + lease, mark)
        if renewed is None:
            return Heartbeat(alive=False)
        previous, stopped = renewed
        running = {
            (task_id, token): bool(cancelling)
            for task_id, token, cancelling in store.statements.running(cursor, worker_id)
        }
        if progress:
            store.statements.report(cursor, worker_id, progress)
        known = frozenset(held)
        # Tokens instead of instants tell what came before the previous heartbeat: a clock that is
        # set back cannot confuse them.
        _give_back(store, transaction, [c for c in running if c[1] <= previous and c not in known])
        return Heartbeat(
            alive=True,
            cancelled=frozenset(c[0] for c in known & running.keys() if running[c]),
            void=_void(store, transaction, known - running.keys()),
            paused=controls.pauses_now(controls.current(store, transaction), now),
            stopped=frozenset(controls.read_stopped(stopped)),
        )

    return store.database.write(work)


def _idle(store: Store, worker_id: str, lease: int) -> Heartbeat | None:
    """Renew the lease of a worker that has nothing to do; None: it is not that simple.

    The mark stays as it is: with an older one a stray claim is found one heartbeat later. A claim
    that is under way just now, and so not seen, is left to the next heartbeat in the same way.
    """
    shortcuts, controlled = store.shortcuts, store.controlled
    if shortcuts is None:
        return None

    def work(alone: Alone) -> Heartbeat | None:
        pulse = shortcuts.pulse(alone.cursor, worker_id, alone.now)
        if pulse is None:
            return None
        now, steered, expires, stopped, is_busy = pulse
        if is_busy or steered != controlled.version or expires <= now:
            return None
        if not shortcuts.extend(alone.cursor, worker_id, now, now + lease):
            return None
        return Heartbeat(
            alive=True,
            cancelled=frozenset(),
            void=frozenset(),
            paused=controls.pauses_now(controlled, now),
            stopped=frozenset(controls.read_stopped(stopped)),
        )

    return store.database.alone(work)


def _give_back(store: Store, transaction: Transaction, strays: Collection[tuple[str, int]]) -> None:
    if not strays:
        return
    changes = Changes(store, transaction)
    rows = changes.by_id(task_id for task_id, _token in strays)
    for task_id, token in strays:
        row = rows.get(task_id)
        # Looked at without a lock before: a settlement may have come in between.
        if row is not None and row.state == RUNNING and row.token == token:
            changes.give_back(row, row.due)
    changes.flush()


def _void(
    store: Store, transaction: Transaction, held: Collection[tuple[str, int]]
) -> frozenset[str]:
    """Return which of the claims that are not running were taken back, rather than settled."""
    if not held:
        return frozenset()
    rows = Changes(store, transaction).by_id(task_id for task_id, _token in held)
    return frozenset(
        task_id
        for task_id, token in held
        if (row := rows.get(task_id)) is None or row.token != token or row.settled is None
    )


def retire(store: Store, worker_id: str, lost: bool) -> int:
    """Remove a worker and return how many running tasks it left."""

    def work(transaction: Transaction) -> int:
        # First: a claim that is under way ends before, and none begins after.
        store.statements.leave(transaction.cursor, worker_id)
        changes = Changes(store, transaction)
        left = changes.running(worker_id, _ALL)
        for row in left:
            if lost:
                changes.lose(row)
            else:
                changes.give_back(row, row.due)
        changes.flush()
        return len(left)

    return store.database.write(work)


def reclaim(store: Store, limit: int) -> Reclaimed:
    """Take back the running tasks of dead workers, and remove those."""
    if limit < 0:
        raise InvalidInput(f"reclaim: expected a limit from 0, found {limit}")

    def work(transaction: Transaction) -> Reclaimed:
        removed: list[str] = []
        tasks = 0
        for worker_id in _dead(store, transaction.cursor, transaction.now):
            if tasks >= limit:
                break
            taken = _take_back(store, transaction, worker_id, limit - tasks)
            if taken is None:
                continue
            tasks += taken
            # Of several that reclaim at once, one removes it and says so.
            if not store.statements.running(
                transaction.cursor, worker_id
            ) and store.statements.leave(transaction.cursor, worker_id):
                removed.append(worker_id)
        return Reclaimed(tasks, removed)

    if not _suspects(store):
        return Reclaimed(0, [])
    return store.database.write(work)


def _take_back(store: Store, transaction: Transaction, worker_id: str, limit: int) -> int | None:
    """Lose what a dead worker runs; None if it has come to life meanwhile."""
    changes = Changes(store, transaction)
    rows = changes.running(worker_id, limit)
    # Only now, with the tasks locked: what it claims from here on, it claims as a new worker.
    expires = store.statements.lease(transaction.cursor, worker_id)
    if expires is not None and expires > transaction.now:
        return None
    for row in rows:
        changes.lose(row)
    changes.flush()
    return len(rows)


def _suspects(store: Store) -> bool:
    """Return whether somebody may be dead: nearly never, and every worker looks all the time."""
    shortcuts = store.shortcuts
    if shortcuts is not None:
        found = store.database.alone(lambda alone: shortcuts.has_dead(alone.cursor, alone.now))
        if found is not None:
            return found
    return bool(store.database.read(lambda look: _dead(store, look.cursor, look.now())))


def _dead(store: Store, cursor: Cursor, now: int) -> list[str]:
    """Return who is dead: those whose lease is over, by its end, then the unknown."""
    known = store.statements.leases(cursor)
    dead = [worker_id for worker_id, expires in known if expires <= now]
    unknown = _running_workers(store, cursor) - {worker_id for worker_id, _ in known}
    return dead + sorted(unknown)


def _running_workers(store: Store, cursor: Cursor) -> set[str]:
    """Return the workers that running tasks name: a loose scan, one seek for each."""
    found: set[str] = set()
    last = store.statements.next_running_worker(cursor, "")
    while last is not None:
        found.add(last)
        last = store.statements.next_running_worker(cursor, last)
    return found


def workers(store: Store) -> list[WorkerRecord]:
    """Return all workers by expiry."""

    def work(look: Look) -> list[WorkerRecord]:
        return [
            WorkerRecord(_read_info(worker_id, info), registered, expires, running)
            for worker_id, info, registered, expires, running in store.statements.workers(
                look.cursor
            )
        ]

    return store.database.read(work)


def _read_info(worker_id: str, stored: str) -> WorkerInfo:
    try:
        groups, host, pid, version = json.loads(stored)
        return WorkerInfo(worker_id, groups, host, pid, version)
    except (ValueError, TypeError) as error:
        raise Corrupt(
            f"worker {worker_id!r}: what it said of itself cannot be read: {error}"
        ) from error
