"""Tasks as the scripts take them, and records as they are read.

A record is MessagePack: ``[head, rest]``, or ``[head, rest, result]``. Scripts read and write the
head; the rest is the client's. Instants in the head are text of eighteen digits (see
``lua/base.lua``).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, TypeAlias

import msgspec

from taskkit.clock import micros
from taskkit.errors import Corrupt
from taskkit.limits import MAX_PRIORITY
from taskkit.records import Attempt, Outcome, Record, Settlement
from taskkit.task import (
    DEFAULT_MAX_HISTORY,
    DEFAULT_MAX_LOST,
    After,
    Failure,
    Instant,
    NewTask,
    State,
    Task,
)

Options: TypeAlias = tuple[str | bool, str, str | bool, int, str, int, int]
"""Unique key and scope, lock key and limit, ``on_lost``, ``max_lost``, ``max_history``."""

DEFAULT_OPTIONS: Final[Options] = (
    *(False, "queued", False, 1, "retry"),
    *(DEFAULT_MAX_LOST, DEFAULT_MAX_HISTORY),
)

_LETTERS: Final = {
    "q": State.QUEUED,
    "s": State.SUCCEEDED,
    "f": State.FAILED,
    "l": State.LOST,
    "c": State.CANCELLED,
}
LETTER_OF: Final = {
    **{state: letter for letter, state in _LETTERS.items()},
    State.WAITING: "q",
    State.RUNNING: "r",
}

_Failure: TypeAlias = tuple[str, str, str] | bool


class _Head(msgspec.Struct, array_like=True):
    """What scripts know of a task, in the order of ``lua/records.lua``."""

    state: str
    options: Options | bool
    due: str
    created: str
    priority: str
    expires: str
    attempt: int
    retries: int
    losses: int
    ttl: int
    settled: str = ""
    began: str = ""
    done: str = ""
    failure: _Failure = False
    history: list[tuple[int, str, str, str, str, _Failure]] = []


class _Rest(msgspec.Struct, array_like=True):
    """What only clients know of a task."""

    name: str
    data: bytes
    ttl: int | float
    timeout: int | float | None = None
    scheduled: int | None = None
    labels: dict[str, str | int | float | bool] = {}


class _Stored(msgspec.Struct, array_like=True):
    head: _Head
    rest: _Rest | bytes
    result: bytes | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode

TOKEN_DIGITS: Final = 16
_BROKEN: Final = "?"
"""The name of a task whose record cannot be understood; its data is what was found."""


# ---- to scripts


def pack(value: Any) -> bytes:
    """Return MessagePack."""
    return _encode(value)


def pack_failure(failure: Failure | None) -> bytes:
    """Return a failure as scripts take it."""
    if failure is None:
        return b""
    parts = (failure.type, failure.message, failure.traceback)
    try:
        return _encode(parts)
    except UnicodeEncodeError:  # half of a surrogate pair, from somebody's file name
        return _encode([part.encode("utf-8", "replace").decode() for part in parts])


def instant(when: Instant) -> str:
    """Return an instant, or a delay from the store's now, as scripts take it."""
    return f"+{when.delay}" if isinstance(when, After) else f"{when:018d}"


def options_of(task: NewTask) -> Options:
    """Return what of a task stands in its record's options."""
    return (
        task.unique_key or False,
        task.unique_scope,
        task.lock_key or False,
        task.lock_limit,
        task.on_lost,
        task.max_lost,
        task.max_history,
    )


def task_arguments(task: NewTask) -> tuple[str | int | bytes, ...]:
    """Return the arguments that stand for a task in ``lua/putting.lua``."""
    options = options_of(task)
    # Whatever may expire is not plain: its claim has something to tidy up.
    plain = options == DEFAULT_OPTIONS and task.expires is None
    rest: tuple[Any, ...] = (task.name, task.data, task.ttl)
    if task.timeout is not None or task.scheduled is not None or task.labels:
        rest = (*rest, task.timeout, task.scheduled, task.labels)
    return (
        task.id,
        len(task.group.encode()),
        instant(task.due),
        f"{MAX_PRIORITY - task.priority:03d}",
        "" if task.expires is None else instant(task.expires),
        _packed_ttl(task.ttl),
        b"" if plain else _encode(options),
        _encode(rest),
    )


@lru_cache(maxsize=64)
def _packed_ttl(ttl: float) -> bytes:
    return _encode(micros(ttl))


def settlement_arguments(
    settlement: Settlement, token: int, outcome: str | None = None
) -> tuple[str | int | bytes, ...]:
    """Return the arguments that stand for a settlement in ``lua/settle.lua``."""
    return (
        settlement.task_id,
        group_length(settlement.task_id),
        f"{token:0{TOKEN_DIGITS}d}",
        outcome or settlement.outcome.value,
        "" if settlement.due is None else instant(settlement.due),
        pack_failure(settlement.failure),
        _encode(settlement.result) if settlement.outcome is Outcome.SUCCEED else b"",
    )


def group_length(task_id: str) -> int:
    """Return how many bytes of an id are the name of its group."""
    group = task_id[:-33]
    return len(group) if group.isascii() else len(group.encode())


def with_lengths(ids: Iterable[str]) -> list[str | int]:
    """Return ids, each followed by the length of its group's name."""
    return [part for task_id in ids for part in (task_id, group_length(task_id))]


# ---- from scripts


def read_claimed(task_id: str, raw: bytes) -> tuple[Task, int, int]:
    """Return a task that was claimed, how often it was before, and its losses.

    Raises:
        Corrupt: the record cannot be understood.
    """
    try:
        stored = _decode(raw)
        if isinstance(stored.rest, _Rest):
            return _task(task_id, stored.head, stored.rest), stored.head.attempt, stored.head.losses
        problem = "something that taskkit did not write"
    except (msgspec.MsgspecError, ValueError) as error:
        problem = str(error)
    raise Corrupt(f"task {task_id!r}: its record cannot be understood: {problem}")


def read_record(
    task_id: str,
    raw: bytes,
    run: bytes | None,
    progress: bytes | None,
    now: int,
    partitions: int,
    partition: int,
) -> Record:
    """Return the record of a task as it is seen now."""
    try:
        stored = _decode(raw)
    except (msgspec.MsgspecError, ValueError):
        stored = _Stored(_Head("q", False, "0", "0", "100", "", 0, 0, 0, 0), raw)
    head = stored.head
    rest = stored.rest if isinstance(stored.rest, _Rest) else _Rest(_BROKEN, stored.rest, 0.0)
    task = _task(task_id, head, rest)
    state = _LETTERS[head.state]
    token, began = head.settled[:TOKEN_DIGITS], head.began
    worker: str | None = None
    attempt = head.attempt
    cancelling = False
    if run is not None:
        text = run.decode()
        state, token, began = State.RUNNING, text[:16], text[16:34]
        cancelling, worker = text[34] == "c", text[56:]
        attempt += 1
    elif state is State.QUEUED and task.due > now:
        state = State.WAITING
    return Record(
        task,
        state,
        attempt=attempt,
        losses=head.losses,
        token=int(token) * partitions + partition if token else 0,
        worker_id=worker,
        began=int(began) if began else None,
        done=int(head.done) if head.done else None,
        result=stored.result,
        failure=_failure(head.failure),
        cancelling=cancelling,
        progress=progress,
        history=tuple(_attempt(each) for each in head.history),
    )


def _attempt(stored: tuple[int, str, str, str, str, _Failure]) -> Attempt:
    attempt, began, ended, worker, outcome, failure = stored
    how: Any = "lost" if outcome == "lost" else Outcome(outcome)
    return Attempt(attempt, int(began), int(ended), worker, how, _failure(failure))


def _failure(stored: _Failure) -> Failure | None:
    return Failure(*stored) if isinstance(stored, tuple) else None


def _task(task_id: str, head: _Head, rest: _Rest) -> Task:
    options = head.options
    if isinstance(options, bool):
        return Task(
            id=task_id,
            group=task_id[:-33],
            name=rest.name,
            data=rest.data,
            due=int(head.due),
            created=int(head.created),
            priority=MAX_PRIORITY - int(head.priority),
            retry_count=head.retries,
            scheduled=rest.scheduled,
            ttl=rest.ttl,
            timeout=rest.timeout,
            labels=rest.labels,
        )
    key, scope, lock, lock_limit, on_lost, max_lost, max_history = options
    chosen: Any = {"unique_scope": scope, "on_lost": on_lost}  # written by ourselves, checked once
    return Task(
        id=task_id,
        group=task_id[:-33],
        name=rest.name,
        data=rest.data,
        due=int(head.due),
        created=int(head.created),
        priority=MAX_PRIORITY - int(head.priority),
        retry_count=head.retries,
        scheduled=rest.scheduled,
        ttl=rest.ttl,
        timeout=rest.timeout,
        expires=int(head.expires) if head.expires else None,
        unique_key=str(key) if key else None,
        lock_key=str(lock) if lock else None,
        lock_limit=lock_limit,
        max_lost=max_lost,
        max_history=max_history,
        labels=rest.labels,
        **chosen,
    )
