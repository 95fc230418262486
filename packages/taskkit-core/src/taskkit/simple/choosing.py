"""Which tasks a claim gives: pure, for backends that can look at all unclaimed tasks at once.

It reads everything that is unclaimed or running and changes nothing. Its cost grows with the number
of tasks, so a store with an index does the same in its own way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

from taskkit.clock import micros
from taskkit.groups import covered, covers, owner
from taskkit.records import Control, Limits, Record
from taskkit.simple.transitions import is_expired
from taskkit.task import State

_NO_LIMITS = Limits()
_LIVE = (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, slots=True)
class Choice:
    """What a claim gives, and what the store has to remember of it."""

    records: Sequence[Record]
    """To be claimed, in this order."""
    expired: Sequence[Record]
    """To be cancelled, because their ``expires`` has come."""
    next_due: int | None
    turns: Mapping[str, Sequence[str]]
    """For each want its groups in the order in which they are served next."""
    starts: Mapping[str, Sequence[int]]
    """For each group with a rate the claims that count: this one's, too."""


@dataclass(slots=True)
class _Group:
    """The unclaimed tasks of one group while a claim is being made."""

    name: str
    now: int
    limits: Limits
    pauses: Collection[int | None]
    starts: list[int]
    running: int
    locks: Counter[str | None]
    records: list[Record]
    given: set[str] = field(default_factory=set)

    def opens(self) -> int | None:
        """Return from when on pauses and the rate let a task run; None: nobody knows."""
        ends = [end for end in self.pauses if end is not None]
        if len(ends) < len(self.pauses):
            return None
        rate = self.limits.rate
        if rate is not None and len(self.starts) >= rate.limit:
            ends.append(self.starts[-rate.limit] + micros(rate.period))
        return max(self.now, *ends) if ends else self.now

    def line(self) -> Iterator[Record]:
        """Yield what may be claimed, in order; what is yielded counts as given when resumed."""
        # No call for each record: ten thousand that wait for a lock are passed over in no time.
        due = [each for each in self.records if each.task.due <= self.now]
        places = [(-each.task.priority, each.task.due, each.task.id, each) for each in due]
        full = self.is_full()
        for _, _, task_id, record in sorted(places):
            if full:
                return
            key = record.task.lock_key
            if key is None or key not in self.locks or self.locks[key] < record.task.lock_limit:
                yield record
                self.running += 1
                self.locks[key] += 1
                self.given.add(task_id)
                if self.limits.rate is not None:
                    self.starts.append(self.now)
                full = self.is_full()

    def is_full(self) -> bool:
        """Return whether no more of the group may run now."""
        most = self.limits.max_running
        return self.opens() != self.now or (most is not None and self.running >= most)

    def next_due(self) -> int | None:
        """Return when something more becomes claimable by itself."""
        opens = self.opens()
        if opens is None:
            return None
        left = [each.task.due for each in self.records if each.task.id not in self.given]
        if opens > self.now:
            return max(opens, min(left)) if left else None
        return min([due for due in left if due > self.now], default=None)


def choose(
    records: Iterable[Record],
    wants: Mapping[str, int],
    excluding: Collection[str],
    control: Control,
    turns: Mapping[str, Sequence[str]],
    starts: Mapping[str, Sequence[int]],
    now: int,
) -> Choice:
    """Return what a claim of ``wants`` gives now.

    Args:
        records: At least all unclaimed and running tasks.
        wants: As for ``claim``, which tells the order too.
        excluding: As for ``claim``.
        control: The pauses and limits of now.
        turns: What ``Choice.turns`` said last; empty at first.
        starts: What ``Choice.starts`` said last; empty at first.
        now: The store's now.
    """
    found = list(records)
    unclaimed = [each for each in found if each.state is State.QUEUED]
    mortal = [each for each in unclaimed if each.task.expires is not None]
    expired = [each for each in mortal if is_expired(each, now)]
    gone = {each.task.id for each in expired}
    groups = _groups(found, control, starts, now)
    served: dict[str, dict[str, _Group]] = {want: {} for want, most in wants.items() if most > 0}
    for name, group in groups.items():
        want = owner(name, wants)
        if want in served and not covered(name, excluding):
            served[want][name] = group
            group.records = [each for each in group.records if each.task.id not in gone]
    given: list[Record] = []
    after = dict(turns)
    for want, mine in served.items():
        after[want] = _serve(mine, wants[want], after.get(want, ()), given)
    dues = [at for mine in served.values() for each in mine.values() if (at := each.next_due())]
    kept = {name: group.starts for name, group in groups.items() if group.limits.rate is not None}
    return Choice(given, expired, min(dues, default=None), after, {**starts, **kept})


def _groups(
    records: list[Record], control: Control, starts: Mapping[str, Sequence[int]], now: int
) -> dict[str, _Group]:
    live = [each for each in records if each.state in _LIVE]
    ids = sorted([(each.task.group, each.task.id) for each in live])
    by_id = {each.task.id: each for each in live}
    groups: dict[str, _Group] = {}
    for name, members in groupby(ids, itemgetter(0)):
        mine = [by_id[task_id] for _, task_id in members]
        running = [each for each in mine if each.state is State.RUNNING]
        limits = control.limits.get(name, _NO_LIMITS)
        period = 0 if limits.rate is None else micros(limits.rate.period)
        groups[name] = _Group(
            name,
            now,
            limits,
            [end for group, end in control.pauses.items() if covers(group, name)],
            # A clock that was set back: what began in the future began by now, or a rate would
            # stay closed until that future comes again.
            [min(at, now) for at in starts.get(name, ()) if min(at, now) + period > now],
            len(running),
            Counter([each.task.lock_key for each in running]),
            [each for each in mine if each.state is State.QUEUED],
        )
    return groups


def _serve(
    groups: Mapping[str, _Group], most: int, turn: Sequence[str], given: list[Record]
) -> Sequence[str]:
    """Give up to ``most`` tasks of these groups by turns; return whose turn is next."""
    lines = {name: group.line() for name, group in groups.items()}
    heads = {name: next(line, None) for name, line in lines.items()}
    for _ in range(most):
        ready = {name: head for name, head in sorted(heads.items()) if head is not None}
        order = list(dict.fromkeys([*(name for name in turn if name in ready), *ready]))
        if not order:
            break
        first, *others = order
        given.append(ready[first])
        turn = [*others, first]
        heads[first] = next(lines[first], None)
    return turn
