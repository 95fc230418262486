"""Pauses, limits and stops: state that steers workers.

Every claim has to know them, so their count of changes comes with the first round trip of each
transaction, and what was read before holds as long as that is the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from taskkit.errors import Corrupt
from taskkit.limits import resolve
from taskkit.records import ALL_GROUPS, Control, Limits, Rate
from taskkit.task import Instant
from taskkit_relational.history import dump
from taskkit_relational.statements import Cursor
from taskkit_relational.store import Controlled, Look, Store, Transaction


def current(store: Store, transaction: Transaction) -> Controlled:
    """Return pauses and limits, read again only if the store says that they have changed."""
    if store.controlled.version != transaction.steered:
        store.controlled = _read(store, transaction.cursor, transaction.steered)
    return store.controlled


def _read(store: Store, cursor: Cursor, version: int) -> Controlled:
    pauses, limits = store.statements.pauses(cursor), store.statements.limits(cursor)
    return Controlled(
        version,
        {group: until for group, until in pauses},  # noqa: C416 - rows of a driver, not pairs
        {
            group: Limits(running, None if rate is None else Rate(rate, period), size)
            for group, running, rate, period, size in limits
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

    def work(transaction: Transaction) -> None:
        end = None if until is None else resolve(until, transaction.now)
        for group in _named(groups):
            store.statements.pause(transaction.cursor, group, end)
        _changed(store, transaction)

    store.database.write(work)


def resume(store: Store, groups: Collection[str] | None) -> None:
    """Lift pauses."""

    def work(transaction: Transaction) -> None:
        for group in [None] if groups is None else sorted(set(groups)):
            store.statements.resume(transaction.cursor, group)
        _changed(store, transaction)

    store.database.write(work)


def stop(store: Store, groups: Collection[str] | None) -> None:
    """Tell the workers that are registered now to stop serving groups."""

    def work(transaction: Transaction) -> None:
        cursor = transaction.cursor
        for worker_id, stopped in store.statements.stopped(cursor):
            more = sorted({*read_stopped(stopped), *_named(groups)})
            store.statements.stop(cursor, worker_id, dump(more))

    store.database.write(work)


def read_stopped(stored: str) -> list[str]:
    """Return the groups that a worker was told to stop serving."""
    try:
        return [str(group) for group in json.loads(stored)]
    except (ValueError, TypeError) as error:
        raise Corrupt(f"a worker's stopped groups: expected a JSON array: {error}") from error


def configure(store: Store, group: str, limits: Limits) -> None:
    """Replace the limits of one group."""

    def work(transaction: Transaction) -> None:
        cursor, rate = transaction.cursor, limits.rate
        if limits == Limits():
            store.statements.unlimit(cursor, group)
        else:
            count, period = (None, None) if rate is None else (rate.limit, rate.period)
            row = (group, limits.max_running, count, period, limits.max_queue_size)
            store.statements.limit(cursor, row)
        if rate is None:
            store.statements.forget_rate(cursor, group)
        _changed(store, transaction)

    store.database.write(work)


def control(store: Store) -> Control:
    """Return what is paused and limited now."""

    def work(look: Look) -> Control:
        version = store.statements.steered(look.cursor)
        found = _read(store, look.cursor, version)
        paused = pauses_now(found, look.now())
        return Control({group: found.pauses[group] for group in sorted(paused)}, found.limits)

    return store.database.snapshot(work)


def _named(groups: Collection[str] | None) -> Collection[str]:
    # In one order, or two who pause the same groups at once could wait for each other.
    return (ALL_GROUPS,) if groups is None else sorted(set(groups))


def _changed(store: Store, transaction: Transaction) -> None:
    store.statements.steer(transaction.cursor)
    transaction.wakes = True
