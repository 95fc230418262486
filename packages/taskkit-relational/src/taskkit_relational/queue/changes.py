"""The rarer transitions: rows are read, changed here, and written back in one statement.

Everything but a put, a claim and a plain success is one of the methods of ``Changes``. It sees to
what goes with them: unique keys that are taken meanwhile, locks that get room, who is woken.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from taskkit.records import Outcome
from taskkit.task import (
    CANCELLED_BY_REQUEST,
    DEFAULT_MAX_HISTORY,
    DEFAULT_MAX_LOST,
    EXPIRED,
    SUPERSEDED,
    WORKER_DIED,
    Failure,
)
from taskkit_relational import controls
from taskkit_relational.gates import lock_gate
from taskkit_relational.history import attempt_entry, dump, dump_failure, read_history
from taskkit_relational.rows import read_options
from taskkit_relational.schema import (
    CANCELLED,
    FAILED,
    LOST,
    OUTCOMES,
    PARKED,
    READY,
    RUNNING,
    SUCCEEDED,
    WAITING,
)
from taskkit_relational.statements import Key, Values
from taskkit_relational.store import Store, Transaction


@dataclass(slots=True)
class Row:
    """What of a task can change, in the order of ``schema.LOADED``."""

    key: Key
    id: str
    state: int
    grp: str
    due: int
    token: int
    attempt: int
    retry_count: int
    losses: int
    cancelling: int
    settled: int | None
    worker_id: str | None
    began: int | None
    retention: int
    expires: int | None
    unique_key: str | None
    unique_slot: str | None
    lock_key: str | None
    options: str | None
    failure: str | None
    history: str | None
    done: int | None = None
    purge_at: int | None = None
    result: bytes | None = None
    """Only a success has one, and nothing changes after it."""

    def option(self, name: str, default: Any) -> Any:
        """Return a named option, or its default where the options cannot be read."""
        try:
            return read_options(self.options).get(name, default)
        except ValueError:
            return default

    def saved(self) -> Values:
        """Return the parameters of ``save``."""
        return (
            self.state, self.due, self.attempt, self.retry_count, self.losses, self.cancelling,
            self.settled, self.worker_id, self.began, self.done, self.purge_at, self.expires,
            self.unique_slot, self.failure, self.history, self.result, self.key,
        )  # fmt: skip


UNSAID: Final = Failure("", "failed without saying why")
"""Of a task that failed without a failure."""


class Changes:
    """The rows that one transaction changes; nothing is written before ``flush``."""

    def __init__(self, store: Store, transaction: Transaction) -> None:
        self._statements = store.statements
        self._transaction = transaction
        self._cursor = transaction.cursor
        self.now = transaction.now
        self._changed: list[Row] = []
        self._removed: list[Key] = []
        self._locks: set[tuple[str, str]] = set()
        self._limits = controls.current(store, transaction).limits

    # ---- reading

    def by_id(self, ids: Iterable[str]) -> dict[str, Row]:
        """Return the rows of the ids that are known."""
        wanted = list(ids)
        rows = self._statements.load(self._cursor, wanted) if wanted else []
        return {row[1]: Row(*row) for row in rows}

    def running(self, worker_id: str, limit: int) -> list[Row]:
        """Return rows that a worker runs."""
        return [Row(*row) for row in self._statements.load_running(self._cursor, worker_id, limit)]

    # ---- transitions

    def expire(self, limit: int) -> int:
        """Unclaimed and expired → cancelled; return how many."""
        rows = self._statements.load_expired(self._cursor, self.now, limit)
        for found in rows:
            self._expire(Row(*found))
        return len(rows)

    def expire_of(self, ids: Iterable[str]) -> set[str]:
        """As ``expire``, of some tasks; return which of them hold no unique key now."""
        wanted = set(ids)
        rows = self.by_id(wanted)
        for row in rows.values():
            if row.state <= PARKED and row.expires is not None and row.expires <= self.now:
                self._expire(row)
        return {one for one in wanted if one not in rows or rows[one].unique_slot is None}

    def _expire(self, row: Row) -> None:
        failure = Failure(EXPIRED, f"not claimed before it expired, at {row.expires}")
        self.finish(row, CANCELLED, failure)

    def requeue(self, row: Row, due: int) -> None:
        """Any → waiting or ready; cancelled if that was asked for, or its unique key is taken."""
        if row.cancelling:
            self.cancel(row)
            return
        holder = self.superseded_by(row)
        if holder is not None:
            self.finish(row, CANCELLED, Failure(SUPERSEDED, holder))
            return
        self._leave(row)
        row.state = READY if due <= self.now else WAITING
        row.due = due
        row.worker_id = row.done = row.purge_at = row.failure = None
        row.unique_slot = row.unique_key
        self._transaction.wakes = True
        self._change(row)

    def give_back(self, row: Row, due: int) -> None:
        """Running → waiting or ready, as if it had not been claimed."""
        row.attempt -= 1
        earlier = read_history(row.history)
        row.began = earlier[-1][1] if earlier else None
        self.requeue(row, due)

    def retry(self, row: Row, due: int, failure: Failure | None) -> None:
        """Running → waiting or ready, on purpose."""
        self.note(row, Outcome.RETRY, failure)
        if not row.cancelling:
            row.retry_count += 1
        self.requeue(row, due)

    def lose(self, row: Row, failure: Failure | None = None) -> None:
        """Running → ready, waiting, lost, failed or cancelled: its worker died."""
        failure = failure or Failure(
            WORKER_DIED, f"worker {row.worker_id} died, or its lease ran out"
        )
        row.losses += 1
        self.note(row, "lost", failure)
        on_lost = row.option("on_lost", "retry")
        if row.cancelling:
            self.cancel(row)
        elif on_lost == "fail":
            self.finish(row, FAILED, failure)
        elif on_lost == "keep" or row.losses >= row.option("max_lost", DEFAULT_MAX_LOST):
            self.finish(row, LOST, failure)
        else:
            self.requeue(row, row.due)

    def cancel(self, row: Row) -> None:
        """Any unfinished → cancelled, because somebody asked for it."""
        self.finish(row, CANCELLED, Failure(CANCELLED_BY_REQUEST, "cancelled on request"))

    def succeed(self, row: Row, result: bytes) -> None:
        """Running → succeeded."""
        row.result = result
        self.finish(row, SUCCEEDED, None)

    def fail(self, row: Row, failure: Failure | None) -> None:
        """Running → failed."""
        self.finish(row, FAILED, failure or UNSAID)

    def finish(self, row: Row, state: int, failure: Failure | None) -> None:
        """Any unfinished → a finished state."""
        self._leave(row)
        row.state = state
        row.done = self.now
        row.purge_at = self.now + row.retention
        row.cancelling = 0
        row.unique_slot = None
        row.failure = dump_failure(failure)
        self._transaction.finished.append(row.id)
        self._change(row)

    def ask_to_cancel(self, row: Row) -> None:
        """Mark a running task; its worker learns of it with its heartbeat."""
        row.cancelling = 1
        self._change(row)

    def reschedule(self, row: Row, due: int) -> None:
        """Unclaimed → waiting or ready, at another due."""
        self._leave(row)
        row.state = READY if due <= self.now else WAITING
        row.due = due
        self._transaction.wakes = True
        self._change(row)

    def remove(self, row: Row) -> None:
        """Any → nothing."""
        self._leave(row)
        self._removed.append(row.key)
        self._transaction.finished.append(row.id)
        if row.unique_slot is not None:
            self._write()

    def note(self, row: Row, outcome: str, failure: Failure | None) -> None:
        """Add the attempt that ends now to the history."""
        most = row.option("max_history", DEFAULT_MAX_HISTORY)
        if most > 0:
            history = read_history(row.history)
            history.append(
                attempt_entry(row.attempt, row.began, self.now, row.worker_id, outcome, failure)
            )
            row.history = dump(history[-most:])

    def settled(self, row: Row, outcome: Outcome) -> None:
        """Remember how the current token was settled."""
        row.settled = OUTCOMES[outcome]

    def superseded_by(self, row: Row) -> str | None:
        """Return the id of another task that holds this one's unique key."""
        if row.unique_key is None or row.unique_slot is not None:
            return None
        slot = (row.grp, row.unique_key)
        return self._statements.holders(self._cursor, [slot]).get(slot)

    # ---- writing

    def flush(self) -> None:
        """Write everything, and let those run that were held back by what is over now."""
        self._write()
        if not self._locks:
            return
        # A claim that lays tasks aside holds the gate too: it sees what ends here, or what it
        # laid aside is seen here.
        names = [lock_gate(group, key) for group, key in self._locks]
        self._statements.gates(self._cursor, names, wait=True)
        for group, key in sorted(self._locks):
            running = self._statements.running_of_lock(self._cursor, group, key)
            if self._statements.unpark(self._cursor, group, key, running):
                self._transaction.wakes = True
        self._locks.clear()

    def _leave(self, row: Row) -> None:
        # Whoever goes, running or next in turn, may have left room for one that is parked.
        if row.lock_key is not None and row.state in (READY, PARKED, RUNNING):
            self._locks.add((row.grp, row.lock_key))
        if row.state == RUNNING:
            limits = self._limits.get(row.grp)
            if limits is not None and limits.max_running is not None:
                self._transaction.wakes = True

    def _change(self, row: Row) -> None:
        self._changed.append(row)
        if row.unique_key is not None:
            # At once: the next row of this batch may want the key that this one took or freed.
            self._write()

    def _write(self) -> None:
        if self._changed:
            self._statements.save(self._cursor, [row.saved() for row in self._changed])
            self._changed.clear()
        if self._removed:
            self._statements.remove(self._cursor, self._removed)
            self._removed.clear()
