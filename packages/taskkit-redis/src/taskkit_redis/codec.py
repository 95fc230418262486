"""Tasks and settlements as the scripts take them.

Instants are text of eighteen digits (see ``lua/base.lua``); what only clients understand is
MessagePack (see ``stored``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, TypeAlias

import msgspec

from taskkit.clock import micros
from taskkit.limits import MAX_PRIORITY
from taskkit.records import Outcome, Settlement
from taskkit.task import (
    DEFAULT_MAX_HISTORY,
    DEFAULT_MAX_LOST,
    NOW,
    After,
    Failure,
    Instant,
    NewTask,
    State,
)

Options: TypeAlias = tuple[str | bool, str, str | bool, int, str, int, int]
"""Unique key and scope, lock key and limit, ``on_lost``, ``max_lost``, ``max_history``."""

DEFAULT_OPTIONS: Final[Options] = (
    *(False, "queued", False, 1, "retry"),
    *(DEFAULT_MAX_LOST, DEFAULT_MAX_HISTORY),
)

LETTERS: Final = {
    "q": State.QUEUED,
    "s": State.SUCCEEDED,
    "f": State.FAILED,
    "l": State.LOST,
    "c": State.CANCELLED,
}
LETTER_OF: Final = {
    **{state: letter for letter, state in LETTERS.items()},
    State.WAITING: "q",
    State.RUNNING: "r",
}

_shape: Final = attrgetter(
    *("group", "priority", "due", "expires", "ttl", "unique_key", "unique_scope"),
    *("lock_key", "lock_limit", "on_lost", "max_lost", "max_history"),
)
"""What is the same of all tasks that ``lua/put_plain.lua`` puts together."""


_encode = msgspec.msgpack.Encoder().encode
TOKEN_DIGITS: Final = 16
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
    return (
        task.id,
        len(task.group.encode()),
        instant(task.due),
        _rank(task),
        "" if task.expires is None else instant(task.expires),
        _packed_ttl(task.ttl),
        b"" if plain else _encode(options),
        _packed_rest(task),
    )


def plain_arguments(tasks: Sequence[NewTask]) -> Sequence[str | bytes]:
    """Return the arguments of ``lua/put_plain.lua``; none if it cannot put these tasks.

    It can if they are of one group, priority and ttl, due now, without options.
    """
    first = tasks[0]
    shape = _shape(first)
    if (
        first.due != NOW
        or first.expires is not None
        or options_of(first) != DEFAULT_OPTIONS
        or any(_shape(task) != shape for task in tasks)
    ):
        return ()
    arguments: list[str | bytes] = [
        first.group,
        _rank(first),
        _packed_ttl(first.ttl),
    ]
    for task in tasks:
        arguments += (task.id, _packed_rest(task))
    return arguments


def _rank(task: NewTask) -> str:
    return f"{MAX_PRIORITY - task.priority:03d}"


def _packed_rest(task: NewTask) -> bytes:
    if task.timeout is None and task.scheduled is None and not task.labels:
        return _encode((task.name, task.data, task.ttl))
    rest = (task.name, task.data, task.ttl, task.timeout, task.scheduled, task.labels)
    return _encode(rest)


@lru_cache(maxsize=64)
def _packed_ttl(ttl: float) -> bytes:
    return _encode(micros(ttl))


def settlements_arguments(
    settlements: Sequence[tuple[Settlement, int]],
) -> list[str | int | bytes]:
    """Return the arguments of ``lua/settle.lua`` for settlements, each with its token."""
    arguments: list[str | int | bytes] = []
    if all(one.outcome is Outcome.SUCCEED and one.task_id.isascii() for one, _ in settlements):
        # Nearly always. What is not sent need be neither written nor read.
        arguments.append(Outcome.SUCCEED.value)
        last = None
        for one, token in settlements:
            # Those of one claim have one token, and mostly come together.
            told = "" if token == last else f"{token:0{TOKEN_DIGITS}d}"
            arguments += (one.task_id, told, _encode(one.result))
            last = token
        return arguments
    arguments.append("")
    for one, token in settlements:
        arguments += _whole(one, token)
    return arguments


def _whole(settlement: Settlement, token: int) -> tuple[str | int | bytes, ...]:
    return (
        settlement.task_id,
        group_length(settlement.task_id),
        f"{token:0{TOKEN_DIGITS}d}",
        settlement.outcome.value,
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
