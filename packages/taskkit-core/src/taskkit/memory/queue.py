"""The hot path: put, claim, settle."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from taskkit.errors import InvalidInput, QueueFull
from taskkit.groups import covers
from taskkit.limits import resolve
from taskkit.memory.entry import Entry
from taskkit.memory.incoming import resolve_task
from taskkit.memory.order import permission
from taskkit.memory.state import Memory
from taskkit.records import Claim, Claims, Outcome, PutResult, Settlement
from taskkit.task import Failure, NewTask, State


def put(memory: Memory, tasks: Sequence[NewTask], *, bounded: bool = True) -> list[PutResult]:
    """Store tasks, all or none; ``bounded``: unless a group would hold too many."""
    now = memory.tick()
    added: list[Entry] = []
    try:
        return [_put_one(memory, task, now, added, bounded) for task in tasks]
    except BaseException:
        for entry in added:
            memory.remove(entry, now)
        raise


def _put_one(
    memory: Memory, task: NewTask, now: int, added: list[Entry], bounded: bool
) -> PutResult:
    if task.id in memory.tasks:
        return PutResult(task.id, "known")
    group = memory.order.group(task.group)
    if task.unique_key is not None:
        holder = group.holder(task.unique_key)
        if holder is not None:
            return PutResult(holder.task.id, "duplicate")
    most = group.limits.max_queue_size
    if bounded and most is not None and group.unclaimed >= most:
        raise QueueFull(task.group, most)
    entry = memory.add(resolve_task(task, now))
    memory.enqueue(entry, now)
    added.append(entry)
    return PutResult(task.id)


def claim(
    memory: Memory, worker_id: str, wants: Mapping[str, int], excluding: Collection[str]
) -> Claims:
    """Give due tasks to a worker."""
    if wants and min(wants.values()) < 0:
        raise InvalidInput(f"claim: expected numbers of tasks from 0, found {dict(wants)}")
    now = memory.tick()
    worker = memory.workers.get(worker_id)
    if worker is None or worker.expires <= now:
        return Claims(now=now, alive=False)
    order = memory.order
    claims: list[Claim] = []
    dues: list[int] = []
    if memory.pauses:
        dues += pauses_end(memory, wants, now)
        excluding = {*excluding, *memory.pauses}
    for want, most in wants.items():
        if most == 0:
            continue
        allowed = permission(want, wants, excluding)
        for entry in order.take(want, most, now, allowed):
            memory.claim(entry, worker, now)
            claims.append(Claim(entry.task, entry.token, entry.attempt, entry.losses, now))
        opens = order.opens(want, now, allowed)
        if opens is not None:
            dues.append(opens)
    return Claims(claims, min(dues, default=None), now)


def pauses_end(memory: Memory, wants: Collection[str], now: int) -> list[int]:
    """Forget the pauses that are over; return when others end that concern these wants."""
    for name in [name for name, end in memory.pauses.items() if end is not None and end <= now]:
        del memory.pauses[name]
    return [
        end
        for name, end in memory.pauses.items()
        if end is not None and any(covers(name, want) or covers(want, name) for want in wants)
    ]


def settle(memory: Memory, settlements: Sequence[Settlement]) -> list[bool]:
    """End claims."""
    now = memory.tick()
    return [_settle_one(memory, settlement, now) for settlement in settlements]


def _settle_one(memory: Memory, settlement: Settlement, now: int) -> bool:
    entry = memory.tasks.get(settlement.task_id)
    if entry is None:
        return memory.was_discarded(settlement)
    outcome = settlement.outcome
    if entry.state is not State.RUNNING or entry.token != settlement.token:
        return entry.settled == settlement.token and entry.outcome is outcome
    entry.settled = settlement.token
    entry.outcome = outcome
    if outcome is Outcome.SUCCEED and not entry.cancelling:
        memory.stop(entry, now)
        memory.finish(entry, State.SUCCEEDED, now, result=settlement.result)
    elif outcome is Outcome.DISCARD:
        memory.discard(entry, settlement, now)
    elif outcome is Outcome.RELEASE:
        memory.give_back(entry, settlement.due, now)
    elif outcome is Outcome.LOSE:
        memory.lose(entry, now, settlement.failure)
    else:
        _end_attempt(memory, entry, settlement, now)
    return True


def _end_attempt(memory: Memory, entry: Entry, settlement: Settlement, now: int) -> None:
    outcome = settlement.outcome
    entry.note(now, outcome, settlement.failure)
    memory.stop(entry, now)
    if entry.cancelling or outcome is Outcome.CANCEL:
        memory.cancel(entry, now)
    elif outcome is Outcome.FAIL:
        failure = settlement.failure or Failure("", "failed without saying why")
        memory.finish(entry, State.FAILED, now, failure=failure)
    else:
        _retry(memory, entry, settlement, now)


def _retry(memory: Memory, entry: Entry, settlement: Settlement, now: int) -> None:
    task = entry.task
    due = task.due if settlement.due is None else resolve(settlement.due, now)
    memory.back(entry, replace(task, due=due, retry_count=task.retry_count + 1), now)
