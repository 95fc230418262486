"""What people and programs do to tasks outside the hot path."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from taskkit.errors import InvalidInput
from taskkit.records import Answered, Outcome, Settlement
from taskkit.task import Instant, NewTask, State
from taskkit_redis import codec
from taskkit_redis.queue import by_partition
from taskkit_redis.store import Store

_STEP: Final = 100
"""Ids that one script changes: some milliseconds in which nobody else is served."""

_ANSWERS: Final = {
    b"U": Answered.UNKNOWN,
    b"R": Answered.REFUSED,
    b"Q": Answered.REQUESTED,
    b"D": Answered.DONE,
}


def cancel(store: Store, ids: Collection[str]) -> dict[str, Answered]:
    """Cancel tasks, or ask their workers to."""
    return _each(store, "cancel", ids)


def requeue(store: Store, ids: Collection[str], due: Instant) -> dict[str, Answered]:
    """Put finished tasks that did not succeed back in the queue."""
    return _each(store, "requeue", ids, codec.instant(due))


def reschedule(store: Store, ids: Collection[str], due: Instant) -> dict[str, Answered]:
    """Change the due of unclaimed tasks."""
    return _each(store, "reschedule", ids, codec.instant(due))


def delete(store: Store, ids: Collection[str]) -> dict[str, Answered]:
    """Remove tasks."""
    return _each(store, "delete", ids)


def _each(store: Store, script: str, ids: Collection[str], *before: str) -> dict[str, Answered]:
    wanted = list(dict.fromkeys(ids))
    answers = dict.fromkeys(wanted, Answered.UNKNOWN)
    for start in range(0, len(wanted), _STEP):
        places = store.by_partition(wanted[start : start + _STEP])
        calls = {n: (*before, *codec.with_lengths(mine)) for n, mine in places.items()}
        for number, found in store.call_all(script, calls).items():
            for task_id, letter in zip(places[number], found, strict=True):
                if letter != b"U":
                    answers[task_id] = _ANSWERS[letter]
    return answers


def purge(
    store: Store, limit: int, states: Collection[State] | None, older_than: int | None
) -> int:
    """Remove finished tasks, some hundred at a time, and return how many."""
    if limit < 0:
        raise InvalidInput(f"purge: expected a limit from 0, found {limit}")
    by_ttl = states is None and older_than is None
    wanted = State if states is None else states
    letters = "".join(codec.LETTER_OF[state] for state in wanted if state.finished)
    until = "" if older_than is None else codec.instant(older_than)
    purged = 0
    for number in range(store.count):
        at = b""
        while True:
            arguments = (limit - purged, int(by_ttl), letters, until, at)
            removed, at = store.call("purge", number, *arguments)
            purged += removed
            if not at or (purged >= limit and not by_ttl) or (by_ttl and purged >= limit):
                break
    return purged


def record(store: Store, task: NewTask, outcome: Settlement, began: int) -> bool:
    """Store a task that was run in place, finished."""
    [number] = by_partition(store, [task])
    answer = store.call(
        "record",
        number,
        *codec.task_arguments(task),
        codec.instant(began),
        outcome.outcome.value,
        codec.pack_failure(outcome.failure),
        codec.pack(outcome.result) if outcome.outcome is Outcome.SUCCEED else b"",
    )
    return bool(answer)


def clear(store: Store) -> None:
    """Remove everything of this prefix, but what tells its layout and counts its tokens."""
    left: dict[int, tuple[Any, ...]] = dict.fromkeys(range(store.count), (b"0",))
    while left:
        answers = store.call_all("clear", left)
        left = {number: (cursor,) for number, cursor in answers.items() if cursor != b"0"}
