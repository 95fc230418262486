"""Pauses, stops and limits: state that workers read, so that nobody misses it."""

from __future__ import annotations

import json
from collections.abc import Collection

import sqlalchemy as sa

from taskkit.errors import Corrupt
from taskkit.records import ALL_GROUPS, Control, Limits, Rate
from taskkit.task import Instant
from taskkit_sql.engine import Transaction
from taskkit_sql.history import dump
from taskkit_sql.rows import resolve
from taskkit_sql.store import Controlled, Store


def current(store: Store, connection: sa.Connection, version: int) -> Controlled:
    """Return pauses and limits, read again only if the store's counter says that they changed."""
    if store.controlled.version != version:
        store.controlled = _read(store, connection, version)
    return store.controlled


def _read(store: Store, connection: sa.Connection, version: int) -> Controlled:
    pause, limits = store.tables.pause, store.tables.limits
    pauses = connection.execute(sa.select(pause.c.grp, pause.c.until)).all()
    rows = connection.execute(
        sa.select(
            limits.c.grp,
            limits.c.max_running,
            limits.c.rate_limit,
            limits.c.rate_period,
            limits.c.max_queue_size,
        )
    ).all()
    return Controlled(
        version,
        {row[0]: row[1] for row in pauses},
        {
            row[0]: Limits(row[1], None if row[2] is None else Rate(row[2], row[3]), row[4])
            for row in rows
        },
    )


def pauses_now(controlled: Controlled, now: int) -> frozenset[str]:
    """Return the groups that are paused at this moment."""
    return frozenset(
        group for group, until in controlled.pauses.items() if until is None or until > now
    )


# ---- what people do


def pause(store: Store, groups: Collection[str] | None, until: Instant | None) -> None:
    """Stop claims in groups."""
    table = store.tables.pause
    with store.database.write() as transaction:
        end = None if until is None else resolve(until, transaction.now)
        for group in _named(groups):
            _drop(transaction, table, group)
            transaction.connection.execute(sa.insert(table).values(grp=group, until=end))
        _changed(store, transaction)


def resume(store: Store, groups: Collection[str] | None) -> None:
    """Lift pauses."""
    table = store.tables.pause
    with store.database.write() as transaction:
        if groups is None:
            transaction.connection.execute(sa.delete(table))
        else:
            for group in groups:
                _drop(transaction, table, group)
        _changed(store, transaction)


def stop(store: Store, groups: Collection[str] | None) -> None:
    """Tell the workers that are registered now to stop serving groups."""
    table = store.tables.worker
    with store.database.write() as transaction:
        connection = transaction.connection
        workers = connection.execute(sa.select(table.c.id, table.c.stopped)).all()
        for worker_id, stopped in workers:
            more = sorted({*read_stopped(stopped), *_named(groups)})
            connection.execute(
                sa.update(table).where(table.c.id == worker_id).values(stopped=dump(more))
            )


def read_stopped(stored: str) -> list[str]:
    """Return the groups that a worker was told to stop serving."""
    try:
        return [str(group) for group in json.loads(stored)]
    except (ValueError, TypeError) as error:
        raise Corrupt(f"a worker's stopped groups: expected a JSON array: {error}") from error


def configure(store: Store, group: str, limits: Limits) -> None:
    """Replace the limits of one group."""
    table = store.tables.limits
    with store.database.write() as transaction:
        _drop(transaction, table, group)
        if limits != Limits():
            rate = limits.rate
            transaction.connection.execute(
                sa.insert(table).values(
                    grp=group,
                    max_running=limits.max_running,
                    rate_limit=None if rate is None else rate.limit,
                    rate_period=None if rate is None else rate.period,
                    max_queue_size=limits.max_queue_size,
                )
            )
        if limits.rate is None:
            _drop(transaction, store.tables.rate, group)
        _changed(store, transaction)


def control(store: Store) -> Control:
    """Return what is paused and limited now."""
    table = store.tables.store
    with store.database.snapshot() as connection:
        now = store.database.clock.now()
        version = connection.execute(sa.select(table.c.controls)).scalar_one()
        found = _read(store, connection, version)
    paused = pauses_now(found, now)
    return Control({group: found.pauses[group] for group in sorted(paused)}, found.limits)


def _named(groups: Collection[str] | None) -> Collection[str]:
    return (ALL_GROUPS,) if groups is None else groups


def _drop(transaction: Transaction, table: sa.TableClause, group: str) -> None:
    transaction.connection.execute(sa.delete(table).where(table.c.grp == group))


def _changed(store: Store, transaction: Transaction) -> None:
    table = store.tables.store
    transaction.connection.execute(sa.update(table).values(controls=table.c.controls + 1))
    transaction.wakes = True


__all__ = [
    "configure", "control", "current", "pause", "pauses_now", "read_stopped", "resume", "stop",
]  # fmt: skip
