"""What holds due tasks back during one claim: locks, ``max_running``, rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import sqlalchemy as sa

from taskkit.clock import micros
from taskkit.records import Limits, Rate
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
        self._hot = store.hot
        self._transaction = transaction
        self._cursor = transaction.cursor
        self._limits = limits
        self._room: dict[str, int] = {}
        self._held: dict[tuple[str, str], int] = {}
        self._busy: dict[str, str] = {}
        self._left_to_park = PARKED

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

    def opens(self, group: str) -> int | None:
        """Return when a group's rate allows the next claim; None: it does now, or has none."""
        limits = self._limits.get(group)
        if limits is None or limits.rate is None:
            return None
        excess = 1 - limits.rate.limit
        log = self._log(group, limits.rate)
        excess += sum(claims for _at, claims in log)
        opening = None
        for at, claims in log:
            if excess <= 0:
                break
            excess -= claims
            opening = at + micros(limits.rate.period)
        return opening

    def _count(self, group: str, limits: Limits) -> int:
        room = _UNLIMITED
        if limits.max_running is not None:
            room = limits.max_running - self._hot.running_of_group(self._cursor, group)
        if limits.rate is not None:
            used = sum(claims for _at, claims in self._log(group, limits.rate))
            room = min(room, limits.rate.limit - used)
        return max(0, room)

    def _log(self, group: str, rate: Rate) -> list[tuple[int, int]]:
        """Return when how many claims were made within the period, oldest first."""
        table, now = self._store.tables.rate, self._transaction.now
        connection = self._transaction.connection
        in_group = table.c.grp == group
        connection.execute(
            sa.delete(table).where(in_group, table.c.at <= now - micros(rate.period))
        )
        # A clock that was set back must not close a group for longer than one period.
        connection.execute(sa.update(table).where(in_group, table.c.at > now).values(at=now))
        query = sa.select(table.c.at, table.c.claims).where(in_group).order_by(table.c.at)
        return [(int(at), int(claims)) for at, claims in connection.execute(query)]

    # ---- locks

    @property
    def exhausted(self) -> bool:
        """Whether this claim has laid aside as many tasks as it may."""
        return self._left_to_park <= 0

    def lock(self, group: str, key: str, limit: int) -> bool:
        """Take a lock for one task, if its limit leaves room."""
        name = (group, key)
        if name not in self._held:
            self._held[name] = self._hot.running_of_lock(self._cursor, group, key)
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
                    self._cursor, group, key, held, self._left_to_park
                )
        self._busy.clear()
