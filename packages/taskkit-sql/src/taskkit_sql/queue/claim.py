"""Waiting → ready → running: who gets what, in which order, and who has to stand back."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from taskkit.records import Claim, Claims
from taskkit_sql import controls
from taskkit_sql.dialects import Values
from taskkit_sql.engine import Transaction
from taskkit_sql.history import corrupt
from taskkit_sql.queue.changes import Changes
from taskkit_sql.queue.limiting import Limiter
from taskkit_sql.queue.opening import Opening
from taskkit_sql.queue.turns import Want, behind, last_served, remember_served
from taskkit_sql.rows import claimed_task
from taskkit_sql.store import Store

PROMOTED: Final = 5000
"""Tasks that one claim makes ready: about 20 ms of writing, in which everybody else waits."""


def claim(
    store: Store, worker_id: str, wants: Mapping[str, int], excluding: Collection[str]
) -> tuple[Claims, int]:
    """Give due tasks to a worker; also return the store's count of wakes, as of this claim."""
    with store.database.write() as transaction:
        token, wakes, version = store.hot.store(transaction.cursor)
        now = transaction.now
        expires = store.hot.lease(transaction.cursor, worker_id)
        if expires is None or expires <= now:
            return Claims(now=now, alive=False), wakes
        controlled = controls.current(store, transaction.connection, version)
        shut = {*excluding, *controls.pauses_now(controlled, now)}
        asked = [Want(name, most, wants, shut) for name, most in wants.items() if most > 0]
        limiter = Limiter(store, transaction, controlled.limits)
        claiming = _Claiming(store, transaction, limiter, worker_id, token + 1)
        claiming.make_ready()
        for want in asked:
            claiming.serve(want)
        claims = claiming.finish()
        opening = Opening(store.hot, transaction, limiter)
        dues = [*claiming.openings, *opening.of(asked, controlled.pauses)]
        return Claims(claims, min(dues, default=None), now), wakes


class _Claiming:
    """One claim on its way."""

    def __init__(
        self,
        store: Store,
        transaction: Transaction,
        limiter: Limiter,
        worker_id: str,
        token: int,
    ) -> None:
        self._store = store
        self._hot = store.hot
        self._transaction = transaction
        self._cursor = transaction.cursor
        self._now = transaction.now
        self._worker_id = worker_id
        self._token = token
        self._limiter = limiter
        self._claims: list[Claim] = []
        self._late = False
        self.openings: list[int] = []
        """When groups that were looked at may give more."""

    def make_ready(self) -> None:
        """Take out what has expired and let in what has become due."""
        if self._hot.has_expired(self._cursor, self._now):
            changes = Changes(self._store, self._transaction)
            changes.expire(PROMOTED)
            changes.flush()
        first = self._hot.first_waiting(self._cursor)
        if first is not None and first <= self._now:
            # More than that at one moment: the longest due of all groups come first, and a want
            # that would go away empty-handed looks for its own below.
            self._late = self._hot.promote(self._cursor, self._now, PROMOTED) == PROMOTED

    def serve(self, want: Want) -> None:
        """Claim up to the wanted number, the non-empty subgroups in turn."""
        if self._late:
            self._hot.promote_group(self._cursor, want.name, self._now, want.most)
        first = self._next(want, "")
        if first is None:
            return
        second = self._next(want, first)
        if second is None:
            self._take(first, want.most)
            return
        self._serve_in_turn(want)

    def _serve_in_turn(self, want: Want) -> None:
        served: str | None = None
        rest = want.most
        ring = self._ring(want, last_served(self._store, self._transaction, want.name))
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
            remember_served(self._store, self._transaction, want.name, served)

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
                found = self._hot.next_ready_group(self._cursor, at, high)
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
            rows = self._hot.ready(self._cursor, group, self._now, min(most, room) - got)
            if not rows:
                # Ready, but not due: the clock was set back after it had become due.
                self._opens(self._hot.first_ready(self._cursor, group))
                break
            got += self._give(group, rows)
            if self._limiter.exhausted:
                self._opens(self._now)
                break
        self._limiter.used(group, got)
        if got == room and self._hot.first_ready(self._cursor, group) is not None:
            self._opens(self._limiter.opens(group))
        return got

    def _opens(self, due: int | None) -> None:
        if due is not None:
            self.openings.append(due)

    def _give(self, group: str, rows: list[Values]) -> int:
        """Make ready tasks run, except those that cannot; these leave the ready ones, too."""
        now, token = self._now, self._token
        taken: list[int] = []
        slots: list[int] = []
        expired = False
        for row in rows:
            seq, task_id, expires, slot, lock_key = row[0], row[1], row[10], row[12], row[13]
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
            taken.append(seq)
            if slot is not None and task.unique_scope == "queued":
                slots.append(seq)
            self._claims.append(Claim(task, token, row[17] + 1, row[18], now))
        if taken:
            self._hot.take(self._cursor, taken, self._worker_id, token, now)
        if slots:
            self._hot.free_slots(self._cursor, slots)
        self._limiter.park()
        if expired:
            self._sweep()
        return len(taken)

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

    def finish(self) -> list[Claim]:
        """Return what was claimed, its token spent."""
        if self._claims:
            self._hot.set_claims(self._cursor, self._token)
        return self._claims
