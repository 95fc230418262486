"""``Queue`` on tables."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from taskkit.errors import QueueFull
from taskkit.records import Claim, Claims, Limits, PutResult, Record, Settlement
from taskkit.simple import transitions
from taskkit.simple.choosing import choose
from taskkit.simple.tables import Tables, refuse_negative
from taskkit.task import NewTask, State


def put(tables: Tables, tasks: Sequence[NewTask], now: int) -> list[PutResult]:
    """Store tasks; raises ``QueueFull`` with the tables changed: throw them away."""
    results = [put_one(tables, new, now) for new in tasks]
    put = {each.id for each in results if each.status == "put"}
    for group in {new.group for new in tasks if new.id in put}:
        most = tables.limits.get(group, Limits()).max_queue_size
        if most is not None and len(tables.unclaimed(group)) > most:
            raise QueueFull(group, most)
    return results


def put_one(tables: Tables, new: NewTask, now: int) -> PutResult:
    """Store a task, whatever the size of its queue."""
    if new.id in tables.tasks:
        return PutResult(new.id, "known")
    holder = tables.holder(new)
    if holder is not None:
        return PutResult(holder, "duplicate")
    tables.keep(transitions.stored(new, now))
    return PutResult(new.id)


def claim(
    tables: Tables, worker_id: str, wants: Mapping[str, int], excluding: Collection[str], now: int
) -> Claims:
    """Give due tasks to a worker."""
    if not tables.alive(worker_id, now):
        return Claims(now=now, alive=False)
    for want, most in wants.items():
        refuse_negative(f"wanted of {want!r}", most)
    control = tables.control(now)
    choice = choose(
        tables.tasks.values(), wants, excluding, control, tables.turns, tables.starts, now
    )
    tables.turns, tables.starts = dict(choice.turns), dict(choice.starts)
    for record in choice.expired:
        tables.keep(transitions.expired(record, now))
    claims = [_give(tables, record, worker_id, now) for record in choice.records]
    return Claims(claims, choice.next_due, now)


def _give(tables: Tables, record: Record, worker_id: str, now: int) -> Claim:
    tables.token += 1
    record = transitions.claimed(record, worker_id, tables.token, now)
    tables.keep(record)
    return Claim(record.task, record.token, record.attempt, record.losses, now)


def settle(tables: Tables, settlements: Sequence[Settlement], now: int) -> list[bool]:
    """End claims; answer for each whether it stands."""
    return [_settle(tables, each, now) for each in settlements]


def _settle(tables: Tables, end: Settlement, now: int) -> bool:
    record = tables.tasks.get(end.task_id)
    if record is None or record.state is not State.RUNNING or record.token != end.token:
        return tables.ended.get(end.task_id, ())[:2] == (end.token, end.outcome)
    after = transitions.settled(record, end, now, tables.holder(record.task))
    tables.end(end.task_id, after, (end.token, end.outcome, now))
    return True
