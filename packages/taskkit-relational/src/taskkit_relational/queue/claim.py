"""Waiting → ready → running: who gets what, in which order, and who has to stand back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from taskkit.errors import InvalidInput
from taskkit.records import Claim, Claims
from taskkit_relational import controls
from taskkit_relational.history import corrupt
from taskkit_relational.queue.alone import claim_alone
from taskkit_relational.queue.changes import Changes
from taskkit_relational.queue.limiting import Limiter
from taskkit_relational.queue.opening import Opening
from taskkit_relational.queue.turns import Want, behind
from taskkit_relational.rows import claimed_task
from taskkit_relational.statements import Key, Values
from taskkit_relational.store import Store, Transaction

PROMOTED: Final = 5000
"""Tasks that one claim makes ready: about 20 ms of writing, in which everybody else waits."""


def claim(
    store: Store, worker_id: str, wants: Mapping[str, int], excluding: Collection[str]
) -> Claims:
    """Give due tasks to a worker."""
    if wants and min(wants.values()) < 0:
        raise InvalidInput(f"claim: expected numbers of tasks from 0, found {dict(wants)}")
    alone = claim_alone(store, worker_id, wants, excluding)
    if alone is not None:
        return alone
    return store.database.write(
        lambda transaction: _claim(store, transaction, worker_id, wants, excluding)
    )


def _claim(
    store: Store,
    transaction: Transaction,
    worker_id: str,
    wants: Mapping[str, int],
    excluding: Collection[str],
) -> Claims:
    now = transaction.now
    expires, expired, waiting = store.statements.glance(transaction.cursor, worker_id, now)
    if expires is None or expires <= now:
        return Claims(now=now, alive=False)
    controlled = controls.current(store, transaction)
    shut = {*excluding, *controls.pauses_now(controlled, now)}
    asked = [Want(name, most, wants, shut) for name, most in wants.items() if most > 0]
    limiter = Limiter(store, transaction, controlled.limits)
    claiming = _Claiming(store, transaction, limiter, worker_id)
    if expired is not None:
        claiming.expire()
    if waiting is not None and waiting <= now:
        claiming.promote()
    for want in asked:
        claiming.serve(want)
    opening = Opening(store.statements, transaction, limiter)
    dues = [*claiming.openings, *opening.of(asked, controlled.pauses)]
    if limiter.was_barred:
        dues.append(now)
    return Claims(claiming.claims, min(dues, default=None), now)


class _Claiming:
    """One claim on its way."""

    def __init__(
        self,
        store: Store,
        transaction: Transaction,
        limiter: Limiter,
        worker_id: str,
    ) -> None:
        self._store = store
        self._statements = store.statements
        self._transaction = transaction
        self._cursor = transaction.cursor
        self._now = transaction.now
        self._worker_id = worker_id
        self._token: int | None = None
        self._limiter = limiter
        self.claims: list[Claim] = []
        self._late = False
        self.openings: list[int] = []
        """When groups that were looked at may give more."""

    def expire(self) -> None:
        """Take out what has expired."""
        changes = Changes(self._store, self._transaction)
        changes.expire(PROMOTED)
        changes.flush()

    def promote(self) -> None:
        """Let in what has become due."""
        # More than that at one moment: the longest due of all groups come first, and a want that
        # would go away empty-handed looks for its own below.
        promoted = self._statements.promote(self._cursor, self._now, PROMOTED)
        self._late = promoted == PROMOTED

    def serve(self, want: Want) -> None:
        """Claim up to the wanted number, the non-empty subgroups in turn."""
        if self._late:
            self._statements.promote_group(self._cursor, want.name, self._now, want.most)
        first, second = self._first_two(want)
        if first is None:
            return
        if second is None:
            self._take(first, want.most)
            return
        self._serve_in_turn(want)

    def _first_two(self, want: Want) -> tuple[str | None, str | None]:
        """Return the first two groups of a want, by name, that have something ready."""
        if want.is_free:
            # Nearly always: the group itself, or else its subgroups.
            first, second = self._statements.ready_groups(self._cursor, *want.ranges)
            if first is not None or second is None:
                return first, second
            return second, self._next(want, second)
        first = self._next(want, "")
        return first, None if first is None else self._next(want, first)

    def _serve_in_turn(self, want: Want) -> None:
        served: str | None = None
        rest = want.most
        ring = self._ring(want, self._statements.last_served(self._cursor, want.name))
        turn: list[str] = []
        while rest > 0:
            while len(turn) < rest and (group := next(ring, None)) is not None:
                turn.append(group)
            if not turn:
                break
            # Whole rounds at once; what does not divide goes to the first of the next round.
            share = max(1, rest // len(turn))
            asked, turn = turn[:rest], turn[rest:]
            for group in asked:
                got = self._take(group, share)
                rest -= got
                served = group if got else served
                if got == share:
                    turn.append(group)
        if served is not None:
            self._statements.remember_served(self._cursor, want.name, served)

    def _ring(self, want: Want, last: str) -> Iterator[str]:
        """Yield the non-empty groups of a want once around, beginning behind the last served."""
        group = self._next(want, last)
        while group is not None:
            yield group
            group = self._next(want, group)
        group = self._next(want, "")
        while group is not None and group <= last:
            yield group
            group = self._next(want, group)

    def _next(self, want: Want, group: str) -> str | None:
        """Return the next group of a want, by name, that has something ready."""
        start = behind(group)
        for low, high in want.ranges:
            at = max(low, start)
            while at < high:
                found = self._statements.next_ready_group(self._cursor, at, high)
                if found is None:
                    break
                past = want.past(found)
                if past is None:
                    return found
                at = past
        return None

    def _take(self, group: str, most: int) -> int:
        """Claim up to ``most`` tasks of one concrete group; return how many."""
        room = self._limiter.room(group)
        got = 0
        while got < min(most, room):
            asked = min(most, room) - got
            rows = self._statements.ready(self._cursor, group, self._now, asked)
            if rows:
                got += self._give(group, rows)
            if self._limiter.exhausted:
                self._opens(self._now)
                break
            if len(rows) < asked:
                # Ready, but not due: the clock was set back after it had become due. (Or another
                # claim is taking it; then this one looks again soon, and in vain.)
                self._opens(self._statements.first_ready(self._cursor, group))
                break
            if self._limiter.was_barred:
                # What was passed over is still ready: it would be found again and again.
                break
        self._limiter.used(group, got)
        if got == room and self._statements.first_ready(self._cursor, group) is not None:
            self._opens(self._limiter.opens(group))
        return got

    def _opens(self, due: int | None) -> None:
        if due is not None:
            self.openings.append(due)

    def _give(self, group: str, rows: list[Values]) -> int:
        """Make ready tasks run, except those that cannot; these leave the ready ones, too."""
        now = self._now
        taken: list[Key] = []
        slots: list[Key] = []
        expired = False
        token = self._next_token()
        self._limiter.approach(group, {row[13] for row in rows if row[13] is not None})
        for row in rows:
            key, task_id, expires, slot, lock_key = row[0], row[1], row[10], row[12], row[13]
            if expires is not None and expires <= now:
                expired = True
                continue
            try:
                task = claimed_task(row)
            except (ValueError, TypeError) as error:
                self._quarantine(task_id, error)
                continue
            if lock_key is not None and not self._limiter.lock(group, lock_key, task.lock_limit):
                continue
            taken.append(key)
            if slot is not None and task.unique_scope == "queued":
                slots.append(key)
            self.claims.append(Claim(task, token, row[17] + 1, row[18], now))
        if taken:
            self._statements.take(self._cursor, taken, self._worker_id, token, now)
        if slots:
            self._statements.free_slots(self._cursor, slots)
        self._limiter.park()
        if expired:
            self._sweep()
        return len(taken)

    def _next_token(self) -> int:
        # After the worker was locked: its heartbeat's mark tells this claim from earlier ones.
        if self._token is None:
            self._token = self._statements.token(self._cursor)
        return self._token

    def _sweep(self) -> None:
        changes = Changes(self._store, self._transaction)
        while changes.expire(PROMOTED):
            changes.flush()

    def _quarantine(self, task_id: str, error: Exception) -> None:
        # One broken row must not block its group: it fails, and its bytes stay for inspection.
        changes = Changes(self._store, self._transaction)
        for row in changes.by_id([task_id]).values():
            changes.fail(row, corrupt("task", error))
        changes.flush()
