"""Between rows and the data types of the core: what is written, and how it is read back.

Fields that no statement looks at share one JSON text, which is NULL where all have their
defaults. What cannot be read back does not block anything: ``read_options`` says so, and its
caller decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from operator import is_
from typing import Any, Final

from taskkit.clock import SECOND, micros
from taskkit.limits import resolve
from taskkit.records import Attempt, Outcome, Record
from taskkit.task import (
    DEFAULT_MAX_HISTORY,
    DEFAULT_MAX_LOST,
    After,
    NewTask,
    State,
    Task,
    in_common,
)
from taskkit_relational.history import corrupt, dump, read_attempts, read_failure
from taskkit_relational.schema import PARKED, READY, RECORDED, RUNNING, STATES, SUCCEEDED, WAITING
from taskkit_relational.statements import Shaped, Values

# The fields that share the column `options`, with their defaults.
_OPTIONAL: Final[Mapping[str, object]] = {
    "scheduled": None,
    "timeout": None,
    "unique_scope": "queued",
    "on_lost": "retry",
    "max_lost": DEFAULT_MAX_LOST,
    "max_history": DEFAULT_MAX_HISTORY,
}


def insert_row(task: NewTask, now: int, *, takes_slot: bool = True) -> Values:
    """Return a new task as a row of ``insert``; ``takes_slot``: unless it is to hold no key."""
    due = resolve(task.due, now)
    retention = micros(task.ttl)
    return (
        task.id,
        READY if due <= now else WAITING,
        task.group,
        task.name,
        task.priority,
        due,
        now,
        retention,
        None if task.expires is None else resolve(task.expires, now),
        task.unique_key,
        task.unique_key if takes_slot else None,
        task.lock_key,
        task.lock_limit,
        _options(task, retention),
        dump(dict(task.labels)) if task.labels else None,
        task.data,
    )


def insert_rows(tasks: Iterable[NewTask], now: int) -> list[Values]:
    """Return new tasks as rows of ``insert``."""
    rows: list[Values] = []
    before: tuple[object, ...] = ()
    for task in tasks:
        options = in_common(task)
        if before and all(map(is_, options, before)):
            rows.append((task.id, *rows[-1][1:-1], task.data))
        else:
            rows.append(insert_row(task, now))
            before = options
    return rows


def alone_row(task: NewTask, now: int | None) -> Shaped:
    """Return a new task without a unique key as ``insert_alone`` takes it.

    Args:
        task: What is to be put.
        now: Of the store; None: the database puts its own time where that belongs.
    """
    if now is not None or task.labels:  # whose owner may change them
        return _alone_row(task, now)
    # Puts of one function come one after another: all but the id and the data stays as it was.
    global _last  # noqa: PLW0603 - the last of the process, whole, whichever thread wrote it
    options = in_common(task)
    before, row = _last
    if not before or not all(map(is_, options, before)):
        row = _alone_row(task, None)
        _last = options, row
        return row
    return Shaped(row.shape, (task.id, task.data, *row.values[2:]))


_last: tuple[tuple[object, ...], Shaped] = ((), Shaped((), ()))


def _alone_row(task: NewTask, now: int | None) -> Shaped:
    retention = micros(task.ttl)
    row: dict[str, Any] = {
        "id": task.id,
        "data": task.data,
        "grp": task.group,
        "name": task.name,
        "priority": task.priority,
        "retention": retention,
        **_instants(task, now),
    }
    if task.lock_key is not None:
        row |= {"lock_key": task.lock_key, "lock_limit": task.lock_limit}
    options = _options(task, retention)
    if options is not None:
        row["options"] = options
    if task.labels:
        row["labels"] = dump(dict(task.labels))
    # Behind all that have a value: those that are the database's now.
    nows = () if now is not None else ("created!",) if "due" in row or "due+" in row else _NOWS
    return Shaped((*row, *nows), tuple(row.values()))


_NOWS: Final = ("created!", "due!")


def _instants(task: NewTask, now: int | None) -> dict[str, int]:
    """Return the instants of a task, but those that are the database's now."""
    due, expires = task.due, task.expires
    if now is not None:
        due = resolve(due, now)
        row = {"state": READY if due <= now else WAITING, "due": due, "created": now}
        return row if expires is None else row | {"expires": resolve(expires, now)}
    if not isinstance(due, After):
        row = {"state?": due, "due": due}
    elif due.delay == 0:
        row = {"state": READY}
    else:
        row = {"state": READY if due.delay < 0 else WAITING, "due+": due.delay}
    if isinstance(expires, After):
        row["expires+"] = expires.delay
    elif expires is not None:
        row["expires"] = expires
    return row


def _options(task: NewTask, retention: int) -> str | None:
    options = {
        name: value
        for name, default in _OPTIONAL.items()
        if (value := getattr(task, name)) != default
    }
    if retention / SECOND != task.ttl:  # finer than a microsecond: shown as given
        options["ttl"] = task.ttl
    return dump(options) if options else None


def read_options(options: str | None) -> dict[str, Any]:
    """Return the named options.

    Raises:
        ValueError: they are not what ``_options`` writes.
    """
    if options is None:
        return {}
    found = json.loads(options)
    if not isinstance(found, dict):
        raise ValueError("options: expected a JSON object")  # noqa: TRY004 - a row's fault
    return found


def read_labels(labels: str | None) -> dict[str, Any]:
    """Return the labels.

    Raises:
        ValueError: they are not a JSON object.
    """
    found = {} if labels is None else json.loads(labels)
    if not isinstance(found, dict):
        raise ValueError("labels: expected a JSON object")  # noqa: TRY004 - a row's fault, not a type's
    return found


def claimed_task(row: Values) -> Task:
    """Return the task of a row of ``ready``.

    Raises:
        ValueError: the row cannot be understood.
    """
    (_seq, task_id, group, name, data, due, created, priority, retry_count, retention, expires,
     unique_key, _slot, lock_key, lock_limit, options, labels, _attempt, _losses) = row  # fmt: skip
    if type(data) is not bytes:
        raise ValueError("data: expected bytes")
    special = unique_key is not None or lock_key is not None or lock_limit != 1
    if options is None and labels is None and not special:
        # Nearly always. Positional, because this runs once for each task.
        return Task(
            task_id, group, name, data, due, created, priority, retry_count,
            None, retention / SECOND, None, expires,
        )  # fmt: skip
    extra = read_options(options)
    return Task(
        task_id, group, name, data, due, created, priority, retry_count,
        extra.get("scheduled"),
        extra.get("ttl", retention / SECOND),
        extra.get("timeout"),
        expires,
        unique_key,
        extra.get("unique_scope", "queued"),
        lock_key,
        lock_limit,
        extra.get("on_lost", "retry"),
        extra.get("max_lost", DEFAULT_MAX_LOST),
        extra.get("max_history", DEFAULT_MAX_HISTORY),
        read_labels(labels),
    )  # fmt: skip


# ---- whole records


def read_record(values: Values, now: int) -> Record:
    """Return a whole row as a record; what cannot be understood is told by its failure."""
    row: dict[str, Any] = dict(zip(RECORDED, values, strict=True))
    failure = read_failure(row["failure"])
    extra: dict[str, Any] = {}
    labels: dict[str, Any] = {}
    try:
        extra, labels = read_options(row["options"]), read_labels(row["labels"])
    except ValueError as error:
        failure = failure or corrupt("options", error)
    number = row["state"]
    state = STATES[number]
    if number <= PARKED:
        state = State.WAITING if row["due"] > now else State.QUEUED
    return Record(
        task=_whole_task(row, extra, labels),
        state=state,
        attempt=row["attempt"],
        losses=row["losses"],
        token=row["token"],
        worker_id=row["worker_id"] if number == RUNNING else None,
        began=row["began"],
        done=row["done"],
        result=row["result"],
        failure=failure,
        cancelling=bool(row["cancelling"]),
        progress=row["progress"],
        history=tuple(_history(row, extra.get("max_history", DEFAULT_MAX_HISTORY))),
    )


def _whole_task(row: Mapping[str, Any], extra: dict[str, Any], labels: dict[str, Any]) -> Task:
    rest = {name: extra.get(name, default) for name, default in _OPTIONAL.items()}
    plain = ("id", "name", "data", "due", "created", "priority", "retry_count", "expires")
    return Task(
        group=row["grp"],
        ttl=extra.get("ttl", row["retention"] / SECOND),
        unique_key=row["unique_key"],
        lock_key=row["lock_key"],
        lock_limit=row["lock_limit"],
        labels=labels,
        **{name: row[name] for name in plain},
        **rest,
    )


def _history(row: Mapping[str, Any], most: int) -> list[Attempt]:
    attempts = read_attempts(row["history"])
    if row["state"] == SUCCEEDED and most > 0:
        # The attempt that succeeded is not written a second time: the row itself tells it.
        attempts.append(
            Attempt(
                row["attempt"], row["began"], row["done"], row["worker_id"] or "", Outcome.SUCCEED
            )
        )
        del attempts[:-most]
    return attempts
