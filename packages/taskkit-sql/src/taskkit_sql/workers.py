"""Leases: who is alive, and what becomes of the work of the dead."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from taskkit.errors import Corrupt, InvalidInput
from taskkit.records import Heartbeat, Reclaimed, WorkerInfo, WorkerRecord
from taskkit_sql import controls
from taskkit_sql.engine import Transaction
from taskkit_sql.history import dump
from taskkit_sql.queue.changes import Changes, Row
from taskkit_sql.store import Store

_ALL = 1 << 62
"""More tasks than a worker can run."""


def register(store: Store, info: WorkerInfo, lease: int) -> None:
    """Enter a worker."""
    table = store.tables.worker
    with store.database.write() as transaction:
        now = transaction.now
        # Of an earlier life of this id only the running tasks are left: their claims are older
        # than this mark, so the next heartbeat gives back what it does not name.
        mark = store.hot.store(transaction.cursor)[0]
        transaction.connection.execute(sa.delete(table).where(table.c.id == info.id))
        transaction.connection.execute(
            sa.insert(table).values(
                id=info.id,
                info=dump([dict(info.groups), info.host, info.pid, info.version]),
                registered=now,
                expires=now + lease,
                mark=mark,
                stopped="[]",
            )
        )


def heartbeat(
    store: Store,
    worker_id: str,
    lease: int,
    held: Collection[tuple[str, int]],
    progress: Mapping[str, bytes],
) -> Heartbeat:
    """Renew a lease and exchange what both sides know."""
    table = store.tables.worker
    with store.database.write() as transaction:
        now, connection = transaction.now, transaction.connection
        query = sa.select(table.c.expires, table.c.mark, table.c.stopped)
        worker = connection.execute(query.where(table.c.id == worker_id)).first()
        if worker is None or worker.expires <= now:
            return Heartbeat(alive=False)
        token, _wakes, version = store.hot.store(transaction.cursor)
        connection.execute(
            sa.update(table)
            .where(table.c.id == worker_id)
            .values(expires=max(worker.expires, now + lease), mark=token)
        )
        changes = Changes(store, transaction)
        running = changes.running(worker_id, _ALL)
        _store_progress(store, transaction, {row.id: row.seq for row in running}, progress)
        known = frozenset(held)
        for row in running:
            # Tokens instead of instants tell what came before the previous heartbeat: a clock
            # that is set back cannot confuse them.
            if row.token <= worker.mark and (row.id, row.token) not in known:
                changes.give_back(row, row.due)
        changes.flush()
        claims = {(row.id, row.token): row for row in running}
        return Heartbeat(
            alive=True,
            cancelled=frozenset(c[0] for c in known & claims.keys() if claims[c].cancelling),
            void=_void(changes, known - claims.keys()),
            paused=controls.pauses_now(controls.current(store, connection, version), now),
            stopped=frozenset(controls.read_stopped(worker.stopped)),
        )


def _void(changes: Changes, held: Collection[tuple[str, int]]) -> frozenset[str]:
    """Return which of the claims that are not running were taken back, rather than settled."""
    if not held:
        return frozenset()
    rows = changes.by_id(task_id for task_id, _token in held)
    return frozenset(
        task_id
        for task_id, token in held
        if (row := rows.get(task_id)) is None or row.token != token or row.settled is None
    )


def _store_progress(
    store: Store, transaction: Transaction, seqs: Mapping[str, int], progress: Mapping[str, bytes]
) -> None:
    table = store.tables.task
    reports = [
        {"known": seqs[task_id], "report": report}
        for task_id, report in progress.items()
        if task_id in seqs
    ]
    if reports:
        transaction.connection.execute(
            sa.update(table)
            .where(table.c.seq == sa.bindparam("known"))
            .values(progress=sa.bindparam("report")),
            reports,
        )


def retire(store: Store, worker_id: str, lost: bool) -> int:
    """Remove a worker and return how many running tasks it left."""
    with store.database.write() as transaction:
        changes = Changes(store, transaction)
        left = changes.running(worker_id, _ALL)
        for row in left:
            if lost:
                changes.lose(row)
            else:
                changes.give_back(row, row.due)
        changes.flush()
        _remove(store, transaction, worker_id)
    return len(left)


def reclaim(store: Store, limit: int) -> Reclaimed:
    """Take back the running tasks of dead workers, and remove those."""
    if limit < 0:
        raise InvalidInput(f"reclaim: expected a limit from 0, found {limit}")
    table = store.tables.worker
    with store.database.write() as transaction:
        query = sa.select(table.c.id, table.c.expires).order_by(table.c.expires, table.c.id)
        known = transaction.connection.execute(query).all()
        live = {worker.id for worker in known if worker.expires > transaction.now}
        dead = [worker.id for worker in known if worker.id not in live]
        dead += sorted(_running_workers(store, transaction) - live - set(dead))
        changes = Changes(store, transaction)
        removed: list[str] = []
        tasks = 0
        for worker_id in dead:
            if tasks >= limit:
                break
            rows = changes.running(worker_id, limit - tasks)
            _lose(changes, rows)
            tasks += len(rows)
            if not changes.running(worker_id, 1):
                removed.append(worker_id)
                _remove(store, transaction, worker_id)
        registered = {worker.id for worker in known}
    return Reclaimed(tasks, [worker_id for worker_id in removed if worker_id in registered])


def _lose(changes: Changes, rows: list[Row]) -> None:
    for row in rows:
        changes.lose(row)
    changes.flush()


def _running_workers(store: Store, transaction: Transaction) -> set[str]:
    """Return the workers that running tasks name: a loose scan, one seek for each."""
    found: set[str] = set()
    last = store.hot.next_running_worker(transaction.cursor, "")
    while last is not None:
        found.add(last)
        last = store.hot.next_running_worker(transaction.cursor, last)
    return found


def _remove(store: Store, transaction: Transaction, worker_id: str) -> None:
    table = store.tables.worker
    transaction.connection.execute(sa.delete(table).where(table.c.id == worker_id))


def workers(store: Store) -> list[WorkerRecord]:
    """Return all workers by expiry."""
    table, task = store.tables.worker, store.tables.task
    running = (
        sa.select(sa.func.count())
        .select_from(task)
        # A literal, not a parameter: only then does the partial index of running tasks apply.
        .where(task.c.state == sa.literal_column("3"), task.c.worker_id == table.c.id)
        .scalar_subquery()
    )
    query = sa.select(
        table.c.id, table.c.info, table.c.registered, table.c.expires, running
    ).order_by(table.c.expires, table.c.id)
    with store.database.read() as connection:
        rows = connection.execute(query).all()
    return [
        WorkerRecord(_read_info(worker_id, info), registered, expires, count)
        for worker_id, info, registered, expires, count in rows
    ]


def _read_info(worker_id: str, stored: str) -> WorkerInfo:
    try:
        groups, host, pid, version = json.loads(stored)
        return WorkerInfo(worker_id, groups, host, pid, version)
    except (ValueError, TypeError) as error:
        raise Corrupt(
            f"worker {worker_id!r}: what it said of itself cannot be read: {error}"
        ) from error
