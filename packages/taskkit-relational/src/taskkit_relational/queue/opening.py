"""When more becomes claimable by itself, so that a worker need not ask until then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from taskkit.groups import covers
from taskkit.limits import LATEST
from taskkit_relational.queue.limiting import Limiter
from taskkit_relational.queue.turns import Want, ranges
from taskkit_relational.statements import Statements
from taskkit_relational.store import Transaction

_LOOKED_AT: Final = 1000
"""Waiting tasks of any group among which the soonest of a want's subgroups is looked for.

Beyond that the answer is a lower bound: the worker comes back early and looks again, which costs
less than to walk through a million tasks of others in every claim.
"""


class Opening:
    """Finds the instant for one claim."""

    def __init__(self, statements: Statements, transaction: Transaction, limiter: Limiter) -> None:
        self._statements = statements
        self._limiter = limiter
        self._cursor = transaction.cursor
        self._now = transaction.now
        self._soonest: list[tuple[int, str]] | None = None

    def of(self, wants: Sequence[Want], pauses: Mapping[str, int | None]) -> list[int]:
        """Return the earliest instants of all wants; none if nothing is to come."""
        found: list[int] = []
        for want in wants:
            found.extend(self._waiting(want))
            found.extend(self._paused(want, pauses))
        return found

    def _waiting(self, want: Want) -> Iterator[int]:
        if not want.ranges:
            return
        low, high = want.ranges[1]
        due, below = self._statements.waiting_of(self._cursor, want.name, low, high)
        if due is not None:
            yield self._gated(want.name, due)
        if below is not None:
            yield from self._below(want, low, high)

    def _below(self, want: Want, low: str, high: str) -> Iterator[int]:
        found: int | None = None
        soonest = self._look()
        for due, group in soonest:
            if found is not None and due >= found:
                break
            if low <= group < high and want.past(group) is None:
                # Another subgroup, due later, may still come before the gate of this one.
                found = min(self._gated(group, due), found or LATEST)
        if found is not None:
            yield found
        elif len(soonest) == _LOOKED_AT:
            yield soonest[-1][0]

    def _gated(self, group: str, due: int) -> int:
        opens = self._limiter.opens(group)
        return due if opens is None else max(due, opens)

    def _look(self) -> list[tuple[int, str]]:
        if self._soonest is None:
            self._soonest = self._statements.soonest(self._cursor, _LOOKED_AT)
        return self._soonest

    def _paused(self, want: Want, pauses: Mapping[str, int | None]) -> Iterator[int]:
        for group, until in pauses.items():
            if until is None or until <= self._now:
                continue
            if covers(group, want.name):
                name = want.name
            elif covers(want.name, group):
                name = group
            else:
                continue
            for low, high in ranges(name):
                if self._statements.next_ready_group(self._cursor, low, high) is not None:
                    yield until
            low, high = ranges(name)[1]
            due, _below = self._statements.waiting_of(self._cursor, name, low, high)
            if due is not None:
                yield max(until, due)
