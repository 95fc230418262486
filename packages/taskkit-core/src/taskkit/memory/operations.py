"""What people and programs do to tasks outside the hot path."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from taskkit.errors import InvalidInput
from taskkit.limits import resolve
from taskkit.memory.entry import Entry
from taskkit.memory.incoming import resolve_task
from taskkit.memory.state import Memory
from taskkit.records import Answered, Outcome, Settlement
from taskkit.task import Failure, Instant, NewTask, State

_REQUEUABLE = frozenset({State.FAILED, State.LOST, State.CANCELLED})


def cancel(memory: Memory, ids: Collection[str]) -> dict[str, Answered]:
    """Cancel tasks, or ask their workers to."""
    now = memory.tick()
    answers: dict[str, Answered] = {}
    for task_id, entry in _known(memory, ids, answers):
        if entry.state is State.RUNNING:
            entry.cancelling = True
            answers[task_id] = Answered.REQUESTED
        elif entry.state is State.QUEUED:
            memory.withdraw(entry)
            memory.cancel(entry, now)
            answers[task_id] = Answered.DONE
        else:
            answers[task_id] = Answered.REFUSED
    return answers


def requeue(memory: Memory, ids: Collection[str], due: Instant) -> dict[str, Answered]:
    """Put finished tasks that did not succeed back in the queue."""
    now = memory.tick()
    answers: dict[str, Answered] = {}
    for task_id, entry in _known(memory, ids, answers):
        task = entry.task
        group = memory.order.group(task.group)
        taken = task.unique_key is not None and group.holder(task.unique_key) is not None
        if entry.state not in _REQUEUABLE or taken:
            answers[task_id] = Answered.REFUSED
            continue
        memory.unfinish(entry)
        entry.task = replace(task, due=resolve(due, now), retry_count=0, expires=None)
        entry.losses = 0
        entry.done = entry.failure = None
        memory.enqueue(entry, now)
        answers[task_id] = Answered.DONE
    return answers


def reschedule(memory: Memory, ids: Collection[str], due: Instant) -> dict[str, Answered]:
    """Change the due of unclaimed tasks."""
    now = memory.tick()
    answers: dict[str, Answered] = {}
    for task_id, entry in _known(memory, ids, answers):
        if entry.state is not State.QUEUED:
            answers[task_id] = Answered.REFUSED
            continue
        memory.withdraw(entry)
        entry.task = replace(entry.task, due=resolve(due, now))
        memory.enqueue(entry, now)
        answers[task_id] = Answered.DONE
    return answers


def delete(memory: Memory, ids: Collection[str]) -> dict[str, Answered]:
    """Remove tasks."""
    now = memory.tick()
    answers: dict[str, Answered] = {}
    for task_id, entry in _known(memory, ids, answers):
        memory.remove(entry, now)
        answers[task_id] = Answered.DONE
    return answers


def _known(
    memory: Memory, ids: Collection[str], answers: dict[str, Answered]
) -> Iterator[tuple[str, Entry]]:
    for task_id in dict.fromkeys(ids):
        entry = memory.tasks.get(task_id)
        if entry is None:
            answers[task_id] = Answered.UNKNOWN
        else:
            yield task_id, entry


def purge(
    memory: Memory, limit: int, states: Collection[State] | None, older_than: int | None
) -> int:
    """Remove finished tasks and return how many."""
    if limit < 0:
        raise InvalidInput(f"purge: expected a limit from 0, found {limit}")
    now = memory.tick()
    if states is None and older_than is None:
        return _purge_by_ttl(memory, limit, now)
    found: list[Entry] = []
    for entry in memory.tasks.values():
        if len(found) >= limit:
            break
        if (
            entry.done is not None
            and (states is None or entry.state in states)
            and (older_than is None or entry.done <= older_than)
        ):
            found.append(entry)
    for entry in found:
        memory.remove(entry, now)
    return len(found)


def _purge_by_ttl(memory: Memory, limit: int, now: int) -> int:
    purged = 0
    while purged < limit and (first := memory.kept.first()) is not None and first[0] <= now:
        memory.remove(memory.tasks[first[1]], now)
        purged += 1
    return purged


def record(memory: Memory, task: NewTask, outcome: Settlement, began: int) -> bool:
    """Store a task that was run in place, finished."""
    now = memory.tick()
    if task.id in memory.tasks:
        return False
    if outcome.outcome not in (Outcome.SUCCEED, Outcome.FAIL):
        raise InvalidInput(f"record: expected success or failure, found {outcome.outcome}")
    entry = memory.add(resolve_task(task, now))
    entry.attempt = 1
    entry.began = began
    if outcome.outcome is Outcome.SUCCEED:
        memory.finish(entry, State.SUCCEEDED, now, result=outcome.result)
    else:
        entry.note(now, outcome.outcome, outcome.failure)
        memory.finish(entry, State.FAILED, now, failure=outcome.failure or Failure("", ""))
    return True
