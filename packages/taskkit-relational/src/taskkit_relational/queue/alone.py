"""The plain cases of a put, a claim and a settlement: one statement each, where that pays.

Plain is what nearly everything is: no limits and pauses that concern it, no keys, nothing that
has expired or become due meanwhile. The statement itself makes sure of that. Where it finds
anything else it does nothing, and the whole rule is applied in a transaction: ``None`` says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from taskkit.ids import group_of
from taskkit.records import Claim, Claims, Outcome, PutResult, Settlement
from taskkit.task import NewTask
from taskkit_relational.history import corrupt
from taskkit_relational.queue.changes import Changes
from taskkit_relational.queue.turns import ranges
from taskkit_relational.rows import alone_row, claimed_task
from taskkit_relational.schema import RUNNING
from taskkit_relational.statements import Caught
from taskkit_relational.store import Alone, Store, Transaction

_MOST: Final = 500
"""Tasks that are claimed or settled by one statement: more are no faster."""


def put_alone(store: Store, task: NewTask) -> PutResult | None:
    """Store one task."""
    shortcuts, controlled = store.shortcuts, store.controlled
    limits = controlled.limits.get(task.group)
    if shortcuts is None or task.unique_key is not None:
        return None
    if limits is not None and limits.max_queue_size is not None:
        return None

    def work(alone: Alone) -> PutResult | None:
        row = alone_row(task, alone.now)
        is_put = shortcuts.insert_alone(alone.cursor, row, controlled.version, alone.news)
        return PutResult(task.id) if is_put else None

    return store.database.alone(work, wakes=True)


def claim_alone(
    store: Store, worker_id: str, wants: Mapping[str, int], excluding: Collection[str]
) -> Claims | None:
    """Give due tasks of one group to a worker."""
    shortcuts, controlled = store.shortcuts, store.controlled
    if shortcuts is None or len(wants) != 1 or excluding:
        return None
    [(group, most)] = wants.items()
    if not 0 < most <= _MOST or group in controlled.limits or controlled.pauses:
        return None

    def work(alone: Alone) -> Caught | None:
        return shortcuts.claim_alone(
            alone.cursor, worker_id, (group, *ranges(group)[1]), most, alone.now, controlled.version
        )

    caught = store.database.alone(work)
    if caught is None:
        return None
    claims: list[Claim] = []
    broken: dict[str, Exception] = {}
    for row in caught.rows:
        try:
            task = claimed_task(row)
        except (ValueError, TypeError) as error:
            broken[row[1]] = error
            continue
        claims.append(Claim(task, caught.token, row[17], row[18], caught.now))
    if broken:
        _quarantine(store, broken, caught.token)
    return Claims(claims, caught.opens, caught.now)


def _quarantine(store: Store, broken: Mapping[str, Exception], token: int) -> None:
    """Let tasks fail that cannot be read, as if they had not been claimed."""

    def work(transaction: Transaction) -> None:
        changes = Changes(store, transaction)
        for row in changes.by_id(broken).values():
            if row.state == RUNNING and row.token == token:
                row.attempt -= 1
                row.began = row.worker_id = None
                changes.fail(row, corrupt("task", broken[row.id]))
        changes.flush()

    store.database.write(work)


def settle_alone(store: Store, settlements: Sequence[Settlement]) -> list[bool] | None:
    """End claims by success. Where it could not end all, those that it did end stay so."""
    shortcuts, controlled = store.shortcuts, store.controlled
    succeed = None if shortcuts is None else shortcuts.succeed_alone
    if succeed is None or len(settlements) > _MOST:
        return None
    if any(one.outcome is not Outcome.SUCCEED for one in settlements):
        return None
    rows = [(one.task_id, one.token, one.result) for one in settlements]
    ids = {row[0] for row in rows}
    if len(ids) < len(rows):
        return None
    if controlled.limits and any(group_of(task_id) in controlled.limits for task_id in ids):
        return None

    def work(alone: Alone) -> bool | None:
        done = succeed(alone.cursor, rows, alone.now, controlled.version, alone.news)
        return True if done == len(rows) else None

    # Where not all were plain, the whole rule looks at each: to settle one again changes nothing.
    return [True] * len(rows) if store.database.alone(work, finished=ids) else None


__all__ = ["claim_alone", "put_alone", "settle_alone"]
