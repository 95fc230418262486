"""What holds due tasks back during one claim: locks, ``max_running``, rates."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from taskkit.clock import micros
from taskkit.records import Limits, Rate
from taskkit_relational.gates import lock_gate, run_gate
from taskkit_relational.store import Store, Transaction

PARKED: Final = 5000
"""Tasks that one claim lays aside: about 20 ms of writing, in which everybody else waits."""

_UNLIMITED: Final = 1 << 62


class Limiter:
    """The limits of the groups that one claim looks at."""

    def __init__(
        self, store: Store, transaction: Transaction, limits: Mapping[str, Limits]
    ) -> None:
        self._statements = store.statements
        self._transaction = transaction
        self._cursor = transaction.cursor
        self._limits = limits
        self._room: dict[str, int] = {}
        self._held: dict[tuple[str, str], int] = {}
        self._busy: dict[str, str] = {}
        self._left_to_park = PARKED
        self._gates: set[str] = set()
        self.was_barred = False
        """Whether another claim was deciding about something that this one had to pass over."""

    # ---- whole groups

    def room(self, group: str) -> int:
        """Return how many more tasks of a group may run now."""
        limits = self._limits.get(group)
        if limits is None:
            return _UNLIMITED
        if limits.max_running is None and limits.rate is None:
            return _UNLIMITED
        if group not in self._room:
            self._room[group] = self._count(group, limits) if self._pass([run_gate(group)]) else 0
        return self._room[group]

    def _pass(self, names: Collection[str]) -> bool:
        """Close gates without waiting; return whether all of them are ours."""
        ours = self._statements.gates(self._cursor, names, wait=False)
        self._gates |= ours
        barred = len(ours) < len(set(names))
        self.was_barred |= barred
        return not barred

    def used(self, group: str, claims: int) -> None:
        """Count claims of a group."""
        limits = self._limits.get(group)
        if limits is None or not claims:
            return
        if group in self._room:
            self._room[group] -= claims
        if limits.rate is not None:
            self._statements.log_rate(self._cursor, group, self._transaction.now, claims)

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
            room = limits.max_running - self._statements.running_of_group(self._cursor, group)
        if limits.rate is not None:
            used = sum(claims for _at, claims in self._log(group, limits.rate))
            room = min(room, limits.rate.limit - used)
        return max(0, room)

    def _log(self, group: str, rate: Rate) -> list[tuple[int, int]]:
        """Return when how many claims were made within the period, oldest first."""
        now = self._transaction.now
        return self._statements.rate_log(self._cursor, group, now - micros(rate.period), now)

    # ---- locks

    @property
    def exhausted(self) -> bool:
        """Whether this claim has laid aside as many tasks as it may."""
        return self._left_to_park <= 0

    def approach(self, group: str, keys: Collection[str]) -> None:
        """Make ready to decide about these lock keys: all at once, one round trip."""
        names = {lock_gate(group, key) for key in keys} - self._gates
        if names:
            self._pass(names)

    def lock(self, group: str, key: str, limit: int) -> bool:
        """Take a lock for one task, if its limit leaves room; ``approach`` comes before."""
        if lock_gate(group, key) not in self._gates:
            # Somebody else decides about it at this moment: not ours to lay aside either.
            return False
        name = (group, key)
        if name not in self._held:
            self._held[name] = self._statements.running_of_lock(self._cursor, group, key)
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
                self._left_to_park -= self._statements.park(
                    self._cursor, group, key, held, self._left_to_park
                )
        self._busy.clear()
