"""What holds due tasks back during one claim: locks, ``max_running``, rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from taskkit.clock import micros
from taskkit.records import Limits
from taskkit_sql.engine import Transaction
from taskkit_sql.store import Store

PARKED: Final = 5000
"""Tasks that one claim lays aside: about 20 ms of writing, in which everybody else waits."""

_UNLIMITED: Final = 1 << 62


class Limiter:
    """The limits of the groups that one claim looks at."""

    def __init__(
        self, store: Store, transaction: Transaction, limits: Mapping[str, Limits]
    ) -> None:
        self._store = store
        self._hot = store.dialect
        self._transaction = transaction
        self._limits = limits
        self._room: dict[str, int] = {}
        self._held: dict[tuple[str, str], int] = {}
        self._busy: dict[str, str] = {}
        self._left_to_park = PARKED
        self.openings: list[int] = []
        """When the rates of groups that had none left allow the next claim."""

    # ---- whole groups

    def room(self, group: str) -> int:
        """Return how many more tasks of a group may run now."""
        limits = self._limits.get(group)
        if limits is None:
            return _UNLIMITED
        if group not in self._room:
            self._room[group] = self._count(group, limits)
        return self._room[group]

    def used(self, group: str, claims: int) -> None:
        """Count claims of a group."""
        limits = self._limits.get(group)
        if limits is None or not claims:
            return
        self._room[group] -= claims
        if limits.rate is not None:
            table = self._store.tables.rate
            self._transaction.connection.execute(
                sa.insert(table).values(grp=group, at=self._transaction.now, claims=claims)
            )
            if self._room[group] <= 0:
                self._rate_left(group, limits.rate.limit, micros(limits.rate.period))

    def _count(self, group: str, limits: Limits) -> int:
        room = _UNLIMITED
        if limits.max_running is not None:
            running = self._hot.running_of_group(self._transaction.cursor, group)
            room = max(0, limits.max_running - running)
        if limits.rate is not None:
            rate = limits.rate
            room = min(room, self._rate_left(group, rate.limit, micros(rate.period)))
        return room

    def _rate_left(self, group: str, limit: int, period: int) -> int:
        table, now = self._store.tables.rate, self._transaction.now
        connection = self._transaction.connection
        in_group = table.c.grp == group
        connection.execute(sa.delete(table).where(in_group, table.c.at <= now - period))
        query = sa.select(table.c.at, table.c.claims).where(in_group).order_by(table.c.at)
        log = [(int(at), int(claims)) for at, claims in connection.execute(query)]
        left = limit - sum(claims for _at, claims in log)
        if left <= 0 and log:
            self.openings.append(_opening(log, 1 - left, period))
        return max(0, left)

    # ---- locks

    @property
    def exhausted(self) -> bool:
        """Whether this claim has laid aside as many tasks as it may."""
        return self._left_to_park <= 0

    def lock(self, group: str, key: str, limit: int) -> bool:
        """Take a lock for one task, if its limit leaves room."""
        name = (group, key)
        if name not in self._held:
            self._held[name] = self._hot.running_of_lock(self._transaction.cursor, group, key)
        if self._held[name] >= limit:
            self._busy[key] = group
            return False
        self._held[name] += 1
        return True

    def park(self) -> None:
        """Lay aside everything ready that found its lock taken, seen or not seen so far."""
        for key, group in self._busy.items():
            if self._left_to_park > 0:
                held = self._held[group, key]
                self._left_to_park -= self._hot.park(
                    self._transaction.cursor, group, key, held, self._left_to_park
                )
        self._busy.clear()


def _opening(log: list[tuple[int, int]], excess: int, period: int) -> int:
    """Return when as many claims as are in excess have left the window."""
    for at, claims in log:
        excess -= claims
        if excess <= 0:
            return at + period
    return log[-1][0] + period
