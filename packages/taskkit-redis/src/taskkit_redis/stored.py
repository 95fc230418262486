"""Records as they are read.

A record is MessagePack: ``[head, rest]``, or ``[head, rest, result]``, or, of a task that succeeded
in its first attempt, ``[success, [head, rest], result]``. Scripts read and write the head; the rest
is the client's. Instants in the head are text of eighteen digits (see ``lua/base.lua``).
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

from taskkit.errors import Corrupt
from taskkit.limits import MAX_PRIORITY
from taskkit.records import Attempt, Outcome, Record
from taskkit.task import DEFAULT_MAX_HISTORY, DEFAULT_MAX_LOST, Failure, State, Task
from taskkit.thaw import maker
from taskkit_redis.codec import LETTERS, TOKEN_DIGITS, Options

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


class _Success(msgspec.Struct, array_like=True):
    state: str
    token: str
    began: str
    done: str
    worker: str


class _Succeeded(msgspec.Struct, array_like=True):
    success: _Success
    stored: _Stored
    result: bytes

    def whole(self) -> _Stored:
        """Return it as all others are."""
        stored, success = self.stored, self.success
        head = stored.head
        head.state, head.attempt = success.state, 1
        head.settled = success.token + Outcome.SUCCEED
        head.began, head.done = success.began, success.done
        head.history = [
            (1, success.began, success.done, success.worker, Outcome.SUCCEED.value, False)
        ]
        stored.result = self.result
        return stored


_SUCCEEDED: Final = 0x95
"""The second byte of a record that begins with a success: an array of five. All others begin with a
head, which has ten fields at least."""

_decode = msgspec.msgpack.Decoder(_Stored).decode
_decode_succeeded = msgspec.msgpack.Decoder(_Succeeded).decode

_make_task = maker(Task)

_BROKEN: Final = "?"
"""The name of a task whose record cannot be understood; its data is what was found."""


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
        is_whole = len(raw) < 2 or raw[1] != _SUCCEEDED
        stored = _decode(raw) if is_whole else _decode_succeeded(raw).whole()
    except (msgspec.MsgspecError, ValueError):
        stored = _Stored(_Head("q", False, "0", "0", "100", "", 0, 0, 0, 0), raw)
    head = stored.head
    rest = stored.rest if isinstance(stored.rest, _Rest) else _Rest(_BROKEN, stored.rest, 0.0)
    task = _task(task_id, head, rest)
    state = LETTERS[head.state]
    token, began = head.settled[:TOKEN_DIGITS], head.began
    worker: str | None = None
    attempt = head.attempt
    cancelling = False
    if run is not None:
        state, token, began = State.RUNNING, run[:16].decode(), run[16:34].decode()
        cancelling, worker = run[34:35] == b"c", run[41 : 41 + int(run[38:41])].decode()
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
        # Nearly always. Positional, because to call a class with keywords takes twice as long.
        return _make_task(
            task_id, task_id[:-33], rest.name, rest.data, int(head.due), int(head.created),
            MAX_PRIORITY - int(head.priority), head.retries, rest.scheduled, rest.ttl, rest.timeout,
            None, None, "queued", None, 1, "retry", DEFAULT_MAX_LOST, DEFAULT_MAX_HISTORY,
            rest.labels,
        )  # fmt: skip
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
