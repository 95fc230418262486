"""What each operation does to one task: pure functions from record to record.

For whoever writes a backend that holds whole records: it decides *whether* a transition may happen
(tokens, locks, who is alive) and stores what comes out; what the record looks like afterwards is
told here. A stored record says ``QUEUED`` as long as nobody has claimed its task; ``seen`` tells
waiting from queued when it is read, because nothing happens in a store when a due comes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final, Literal

from taskkit.clock import micros
from taskkit.limits import resolve
from taskkit.records import Attempt, Outcome, Record, Settlement
from taskkit.task import (
    CANCELLED_BY_REQUEST,
    EXPIRED,
    SUPERSEDED,
    WORKER_DIED,
    Failure,
    Instant,
    NewTask,
    State,
    Task,
)

REQUEUABLE: Final = frozenset({State.FAILED, State.LOST, State.CANCELLED})
"""The states out of which ``requeue`` leads."""

_REQUESTED: Final = Failure(CANCELLED_BY_REQUEST, "somebody asked to cancel the task")


# ---- into the store


def stored(new: NewTask, now: int) -> Record:
    """``put``: absent → waiting or queued."""
    given = {name: getattr(new, name) for name in NewTask.__slots__}
    given["due"] = resolve(new.due, now)
    given["expires"] = None if new.expires is None else resolve(new.expires, now)
    given["labels"] = dict(new.labels)
    return Record(Task(**given, created=now), State.QUEUED)


def recorded(new: NewTask, outcome: Settlement, began: int, now: int) -> Record:
    """``record``: absent → succeeded or failed, after one attempt that no worker made."""
    return _ended(replace(stored(new, now), attempt=1, began=began), outcome, now)


# ---- claims


def claimed(record: Record, worker_id: str, token: int, now: int) -> Record:
    """``claim``: queued → running."""
    return replace(
        record,
        state=State.RUNNING,
        attempt=record.attempt + 1,
        token=token,
        worker_id=worker_id,
        began=now,
        progress=None,
    )


def settled(
    record: Record, settlement: Settlement, now: int, holder: str | None = None
) -> Record | None:
    """``settle``: running → whatever the outcome says; None where it is removed.

    ``holder`` is the id of another task that holds its unique key; it matters where the task
    would return to the queue.
    """
    match settlement.outcome:
        case Outcome.DISCARD:
            return None
        case Outcome.RELEASE:
            return released(record, now, holder, settlement.due)
        case Outcome.LOSE:
            return lost(record, now, holder)
        case Outcome.RETRY:
            record = _noted(record, now, Outcome.RETRY, settlement.failure)
            count = record.task.retry_count + 1
            return _back(_moved(record, settlement.due, now, count), now, holder)
        case _:
            return _ended(record, settlement, now)


def released(
    record: Record, now: int, holder: str | None = None, due: Instant | None = None
) -> Record:
    """A claim given back or never received: running → queued, as if it had not been claimed.

    For ``RELEASE``, for ``retire`` in good order, and for what a heartbeat does not hold.
    """
    given_back = replace(record, attempt=record.attempt - 1)
    return _back(_moved(given_back, due, now, record.task.retry_count), now, holder)


def lost(record: Record, now: int, holder: str | None = None) -> Record:
    """Its worker died: running → queued, or cancelled, failed or lost.

    For ``reclaim``, ``retire(lost=True)`` and ``LOSE``.
    """
    died = Failure(WORKER_DIED, "the worker died while it ran the task")
    record = _noted(replace(record, losses=record.losses + 1), now, "lost", died)
    if not record.cancelling:
        if record.task.on_lost == "fail":
            return _finished(record, State.FAILED, now, died)
        if record.task.on_lost == "keep" or record.losses >= record.task.max_lost:
            return _finished(record, State.LOST, now, died)
    return _back(record, now, holder)


# ---- what people do


def cancelled(record: Record, now: int) -> Record | None:
    """``cancel``: unclaimed → cancelled; running stays so, marked; None: refused."""
    if record.state is State.RUNNING:
        return replace(record, cancelling=True)
    if record.state is State.QUEUED:
        return _finished(record, State.CANCELLED, now, _REQUESTED)
    return None


def expired(record: Record, now: int) -> Record:
    """Its ``expires`` has come before a claim: unclaimed → cancelled."""
    return _finished(record, State.CANCELLED, now, Failure(EXPIRED, "not claimed in time"))


def requeued(record: Record, due: Instant, now: int, holder: str | None = None) -> Record | None:
    """``requeue``: failed, lost or cancelled → waiting or queued; None: refused."""
    if record.state not in REQUEUABLE or holder is not None:
        return None
    task = replace(record.task, due=resolve(due, now), retry_count=0, expires=None)
    return replace(record, task=task, state=State.QUEUED, losses=0, done=None, failure=None)


def rescheduled(record: Record, due: Instant, now: int) -> Record | None:
    """``reschedule``: unclaimed → unclaimed with another due; None: refused."""
    if record.state is not State.QUEUED:
        return None
    return _moved(record, due, now, record.task.retry_count)


# ---- questions


def seen(record: Record, now: int) -> Record:
    """Return the record as a reader sees it: waiting as long as its due has not come."""
    if record.state is State.QUEUED and record.task.due > now:
        return replace(record, state=State.WAITING)
    return record


def is_expired(record: Record, now: int) -> bool:
    """Return whether nobody may claim it any more: unclaimed, and its ``expires`` has come."""
    expires = record.task.expires
    return record.state is State.QUEUED and expires is not None and expires <= now


def held_key(record: Record) -> tuple[str, str] | None:
    """Return the group and the unique key that this task keeps others from, if it does."""
    held = record.state is State.QUEUED or (
        record.state is State.RUNNING and record.task.unique_scope == "unfinished"
    )
    key = record.task.unique_key
    return (record.task.group, key) if held and key is not None else None


def purged(
    record: Record, now: int, states: Collection[State] | None, older_than: int | None
) -> bool:
    """``purge``: return whether it removes this task."""
    if record.done is None:
        return False
    if states is None and older_than is None:
        return record.done + micros(record.task.ttl) <= now
    return (states is None or record.state in states) and (
        older_than is None or record.done <= older_than
    )


# ---- what they share


def _ended(record: Record, end: Settlement, now: int) -> Record:
    failure = None if end.outcome is Outcome.SUCCEED else end.failure
    record = _noted(record, now, end.outcome, failure)
    if record.cancelling or end.outcome is Outcome.CANCEL:
        return _finished(record, State.CANCELLED, now, _REQUESTED)
    if end.outcome is Outcome.SUCCEED:
        return replace(_finished(record, State.SUCCEEDED, now), result=end.result)
    return _finished(record, State.FAILED, now, failure)


def _finished(record: Record, state: State, now: int, failure: Failure | None = None) -> Record:
    return replace(record, state=state, done=now, failure=failure, worker_id=None, cancelling=False)


def _back(record: Record, now: int, holder: str | None) -> Record:
    # The request to cancel came first; only then does it matter whether the key is free.
    if record.cancelling:
        return _finished(record, State.CANCELLED, now, _REQUESTED)
    if holder is not None:
        return _finished(record, State.CANCELLED, now, Failure(SUPERSEDED, holder))
    return replace(record, state=State.QUEUED, worker_id=None)


def _moved(record: Record, due: Instant | None, now: int, retry_count: int) -> Record:
    at = record.task.due if due is None else resolve(due, now)
    return replace(record, task=replace(record.task, due=at, retry_count=retry_count))


def _noted(
    record: Record, now: int, outcome: Outcome | Literal["lost"], failure: Failure | None
) -> Record:
    assert record.began is not None, "only a claimed task has an attempt that can end"
    worker = record.worker_id or ""
    last = Attempt(record.attempt, record.began, now, worker, outcome, failure)
    most = record.task.max_history
    return replace(record, history=(*record.history, last)[-most:] if most else ())
