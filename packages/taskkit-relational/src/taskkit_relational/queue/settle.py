"""Running → whatever follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from taskkit.ids import group_of
from taskkit.limits import resolve
from taskkit.records import Outcome, Settlement
from taskkit_relational import controls
from taskkit_relational.queue.alone import settle_alone
from taskkit_relational.queue.changes import Changes, Row
from taskkit_relational.schema import OUTCOMES, RUNNING
from taskkit_relational.store import Store, Transaction

_LARGEST: Final = 2**63 - 1
"""Of the tokens that a column can hold."""


def settle(store: Store, settlements: Sequence[Settlement]) -> list[bool]:
    """End claims; answer for each whether its settlement stands."""
    possible = [0 <= one.token <= _LARGEST for one in settlements]
    if not all(possible):
        # No claim has such a token, and not every database can be asked for it.
        rest = [one for one, can_be in zip(settlements, possible, strict=True) if can_be]
        answers = iter(settle(store, rest))
        return [can_be and next(answers) for can_be in possible]
    if not settlements:
        return []
    alone = settle_alone(store, settlements)
    if alone is not None:
        return alone
    return store.database.write(lambda transaction: _settle(store, transaction, settlements))


def _settle(
    store: Store, transaction: Transaction, settlements: Sequence[Settlement]
) -> list[bool]:
    _wake_if_limited(store, transaction, settlements)
    if _conflicting(settlements) or not _succeed(store, transaction, settlements):
        return _settle_each(store, transaction, settlements)
    rest = [one for one in settlements if one.outcome is not Outcome.SUCCEED]
    if not rest:
        return [True] * len(settlements)
    answers = iter(_settle_each(store, transaction, rest))
    return [one.outcome is Outcome.SUCCEED or next(answers) for one in settlements]


def _conflicting(settlements: Sequence[Settlement]) -> bool:
    """Return whether a task comes twice: then the first outcome stands, not the success."""
    return len({settlement.task_id for settlement in settlements}) < len(settlements)


def _succeed(store: Store, transaction: Transaction, settlements: Sequence[Settlement]) -> bool:
    """Settle the plain successes; return whether that was all of them.

    Nearly always it is, and then no row was read. Otherwise all are looked at one by one: those
    that were settled here answer like settlements that are repeated.
    """
    rows = [
        (one.task_id, one.token, one.result)
        for one in settlements
        if one.outcome is Outcome.SUCCEED
    ]
    if not rows:
        return True
    transaction.finished.extend([row[0] for row in rows])
    return store.statements.succeed(transaction.cursor, transaction.now, rows) == len(rows)


def _wake_if_limited(
    store: Store, transaction: Transaction, settlements: Sequence[Settlement]
) -> None:
    limits = controls.current(store, transaction).limits
    if limits:
        groups = {group_of(settlement.task_id) for settlement in settlements}
        transaction.wakes |= any(
            limits[group].max_running is not None for group in groups & limits.keys()
        )


def _settle_each(
    store: Store, transaction: Transaction, settlements: Sequence[Settlement]
) -> list[bool]:
    changes = Changes(store, transaction)
    rows = changes.by_id(settlement.task_id for settlement in settlements)
    answers = [
        _settle_one(store, transaction, changes, settlement, rows) for settlement in settlements
    ]
    changes.flush()
    return answers


def _settle_one(
    store: Store,
    transaction: Transaction,
    changes: Changes,
    settlement: Settlement,
    rows: dict[str, Row],
) -> bool:
    row = rows.get(settlement.task_id)
    if row is None:
        return _was_discarded(store, transaction, settlement)
    if row.token != settlement.token:
        return False
    if row.state != RUNNING:
        return row.settled == OUTCOMES[settlement.outcome]
    row.settled = OUTCOMES[settlement.outcome]
    if settlement.outcome is Outcome.DISCARD:
        _discard(store, transaction, settlement)
        changes.remove(row)
        del rows[row.id]
    else:
        _end(changes, row, settlement)
    return True


def _end(changes: Changes, row: Row, settlement: Settlement) -> None:
    outcome, failure = settlement.outcome, settlement.failure
    due = row.due if settlement.due is None else resolve(settlement.due, changes.now)
    if outcome is Outcome.RELEASE:
        changes.give_back(row, due)
    elif outcome is Outcome.LOSE:
        changes.lose(row, failure)
    elif outcome is Outcome.RETRY:
        changes.retry(row, due, failure)
    elif row.cancelling or outcome is Outcome.CANCEL:
        changes.note(row, outcome, failure)
        changes.cancel(row)
    elif outcome is Outcome.SUCCEED:
        changes.succeed(row, settlement.result)
    else:
        changes.note(row, outcome, failure)
        changes.fail(row, failure)


def _discard(store: Store, transaction: Transaction, settlement: Settlement) -> None:
    store.statements.note_discard(
        transaction.cursor, settlement.task_id, settlement.token, transaction.now
    )


def _was_discarded(store: Store, transaction: Transaction, settlement: Settlement) -> bool:
    return settlement.outcome is Outcome.DISCARD and store.statements.was_discarded(
        transaction.cursor, settlement.task_id, settlement.token
    )
