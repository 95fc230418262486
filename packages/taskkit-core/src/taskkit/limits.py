"""The limits of everything that a user can give, each with its reason, checked in one place.

Checked before anything is written; a value is refused with what was expected and what was found,
never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import is_
from typing import Final

from taskkit.clock import SECOND
from taskkit.errors import InvalidInput, InvalidTask
from taskkit.records import ALL_GROUPS, Query
from taskkit.shown import shown
from taskkit.task import After, Instant, Label, NewTask, in_common

MAX_GROUP_LENGTH: Final = 100
MAX_NAME_LENGTH: Final = 200
MAX_ID_LENGTH: Final = MAX_GROUP_LENGTH + 33
"""A group, an underscore and 32 hex digits."""
MAX_KEY_LENGTH: Final = 255
"""Unique and lock keys: what every SQL engine can index."""
MAX_LABELS: Final = 32
MAX_LABEL_KEY_LENGTH: Final = 64
MAX_LABEL_LENGTH: Final = 255
_LABEL_TEXT: Final = f"at most {MAX_LABEL_LENGTH} characters, no NUL or lone surrogate among them"
MAX_LABEL_NUMBER: Final = 2**53
"""Up to which every whole number is a float too: stores of JSON know no other numbers."""
MIN_PRIORITY: Final = -100
MAX_PRIORITY: Final = 100
"""The range of ``django.tasks``."""
MAX_PAGE: Final = 1 << 53
"""Tasks on a page of ``find``: what every store can count to."""
DEFAULT_MAX_DATA_BYTES: Final = 1 << 20
MAX_LOCK_LIMIT: Final = 10_000
MAX_HISTORY: Final = 1_000
MAX_DURATION: Final = 3_153_600_000.0
"""Seconds in a ttl, timeout or delay: a hundred years."""
EARLIEST: Final = 0
"""1970-01-01, in microseconds: instants are never negative, so no store has to sign them."""
LATEST: Final = 253_402_300_799 * SECOND + 999_999
"""The last microsecond of the year 9999, where datetime ends."""


def _refuse(what: str, expected: str, found: object) -> InvalidTask:
    return InvalidTask(f"{what}: expected {expected}, found {shown(found)}")


def _is_printable(text: object) -> bool:
    # Neither control characters, which some stores refuse, nor lone surrogates, which no bytes are.
    return isinstance(text, str) and text.isprintable()


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, such as a name of a file may have
        return False
    return True


def _check_text(what: str, text: object, longest: int) -> None:
    if not isinstance(text, str) or not 0 < len(text) <= longest or not text.isprintable():
        raise _refuse(what, f"1 to {longest} printable characters", text)


def check_group(group: object) -> None:
    """Refuse what cannot be a group's name: 1–100 printable characters, no empty part at a dot."""
    _check_text("group", group, MAX_GROUP_LENGTH)
    assert isinstance(group, str)
    if group == ALL_GROUPS:
        raise _refuse("group", 'a name other than "*", which stands for all groups', group)
    if "" in group.split("."):
        raise _refuse("group", "no empty part before, between or after dots", group)


def check_name(name: object) -> None:
    """Refuse what cannot be a task's name."""
    _check_text("name", name, MAX_NAME_LENGTH)


def check_id(task_id: object) -> None:
    """Refuse what no task can be called, before a store is asked for it."""
    if not _is_printable(task_id):
        raise _refuse("id", "a task's id, printable characters", task_id)


def check_key(what: str, key: object) -> None:
    """Refuse what cannot be a unique or lock key."""
    _check_text(what, key, MAX_KEY_LENGTH)


def resolve(instant: Instant, now: int) -> int:
    """Return an instant as a store's clock has it; no delay leads to before ``EARLIEST``."""
    return max(EARLIEST, now + instant.delay) if isinstance(instant, After) else instant


def check_instant(what: str, instant: object) -> None:
    """Refuse an instant outside 1970…9999, or a delay of more than a hundred years."""
    if isinstance(instant, After):
        if abs(instant.delay) > MAX_DURATION * SECOND:
            raise _refuse(what, "a delay of at most a hundred years", instant.delay // SECOND)
    elif not isinstance(instant, int) or not EARLIEST <= instant <= LATEST:
        raise _refuse(what, "an instant between the years 1970 and 9999", instant)


def check_duration(what: str, value: object, *, zero: bool = True) -> None:
    """Refuse seconds that are not a finite number from 0 (or above it) to a hundred years."""
    # Compared only: NaN is in no range, and ints that no float can hold are compared exactly.
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= MAX_DURATION
        or (value == 0 and not zero)
    ):
        raise _refuse(what, f"seconds, {'from 0' if zero else 'more than 0'}", value)


def check_int(what: str, value: object, low: int, high: int) -> None:
    """Refuse what is not a whole number from ``low`` to ``high``, both included."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _refuse(what, f"a whole number from {low} to {high}", value)


def labels_of(labels: object) -> dict[str, Label]:
    """Return labels as a dict of its own; its content is checked with the task."""
    if not isinstance(labels, Mapping):
        raise _refuse("labels", "a dict", labels)
    return dict(labels)


def check_labels(labels: object) -> None:
    """Refuse too many labels, keys that are not short text, values that are not scalars."""
    given: Mapping[str, object] = labels_of(labels)
    if len(given) > MAX_LABELS:
        raise _refuse("labels", f"at most {MAX_LABELS}", len(given))
    for key, value in given.items():
        _check_text("label key", key, MAX_LABEL_KEY_LENGTH)
        if isinstance(value, str):
            if len(value) > MAX_LABEL_LENGTH or "\x00" in value or not _is_encodable(value):
                raise _refuse(f"label {key!r}", _LABEL_TEXT, value)
        elif (
            not isinstance(value, int | float) or not -MAX_LABEL_NUMBER <= value <= MAX_LABEL_NUMBER
        ):
            raise _refuse(f"label {key!r}", "text, a bool, or a number up to 2**53", value)


def check_query(query: Query, limit: int, after: str | None) -> None:
    """Refuse to search for what no task can have, which stores would answer each in its way."""
    if query.group is not None:
        check_group(query.group)
    if query.name is not None:
        check_name(query.name)
    check_labels(query.labels)
    check_int("limit", limit, 0, MAX_PAGE)
    if after is not None and not _is_printable(after):
        raise _refuse("after", "'next' of the page before", after)


def check_data(what: str, data: object, max_bytes: int) -> None:
    """Refuse data that is not bytes, or more than ``max_bytes`` of it."""
    if not isinstance(data, bytes):
        raise _refuse(what, "bytes (what the handler's encode method returns)", data)
    if len(data) > max_bytes:
        raise InvalidTask(
            f"{what}: expected at most {max_bytes} bytes, found {len(data)}; put big payloads in "
            "files or objects and pass their address, or raise max_data_bytes of the kit"
        )


def check_batch(number: int, most: int) -> None:
    """Refuse more tasks than the store takes in one call.

    They are not split: a call is all or none, and two calls would be two answers to that.
    """
    if number > most:
        raise InvalidInput(
            f"expected at most {most} tasks in one call, which is this store's max_batch, found "
            f"{number}; nothing was put: put them in several calls, each of which is all or none"
        )


_known: tuple[object, ...] = ()
"""What the last task that was checked had in common with others (see ``task.in_common``)."""


def _are_same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    # By identity, not by equality: True equals 1, and is no priority.
    return bool(other) and all(map(is_, one, other))


def check_tasks(tasks: Iterable[NewTask], max_data_bytes: int = DEFAULT_MAX_DATA_BYTES) -> None:
    """Refuse tasks of which any field is outside its limits."""
    # What was good in an earlier call is so still, if it is the very same; but not its labels:
    # somebody may have written to them.
    global _known  # noqa: PLW0603 - one for all; who comes in between only lets us check again
    good: tuple[object, ...] = ()
    for task in tasks:
        options = in_common(task)
        if not _are_same(options, good) and (task.labels or not _are_same(options, _known)):
            _check_in_common(task)
        good = options
        _check_text("id", task.id, MAX_ID_LENGTH)
        if task.id[:-33] != task.group or task.id[-33] != "_":
            raise _refuse("id", f"{task.group}_ and 32 characters", task.id)
        check_data("data", task.data, max_data_bytes)
    _known = good


def _check_in_common(task: NewTask) -> None:
    check_group(task.group)
    check_name(task.name)
    check_instant("due", task.due)
    check_int("priority", task.priority, MIN_PRIORITY, MAX_PRIORITY)
    check_duration("ttl", task.ttl)
    check_int("lock_limit", task.lock_limit, 1, MAX_LOCK_LIMIT)
    check_int("max_lost", task.max_lost, 1, 1_000)
    check_int("max_history", task.max_history, 0, MAX_HISTORY)
    _check_options(task)


def _check_options(task: NewTask) -> None:
    if task.scheduled is not None:
        check_instant("scheduled", task.scheduled)
    if task.timeout is not None:
        check_duration("timeout", task.timeout, zero=False)
    if task.expires is not None:
        check_instant("expires", task.expires)
    if task.unique_key is not None:
        check_key("unique_key", task.unique_key)
    if task.unique_scope not in ("queued", "unfinished"):
        raise _refuse("unique_scope", "'queued' or 'unfinished'", task.unique_scope)
    if task.lock_key is not None:
        check_key("lock_key", task.lock_key)
    if task.on_lost not in ("retry", "keep", "fail"):
        raise _refuse("on_lost", "'retry', 'keep' or 'fail'", task.on_lost)
    if task.labels:
        check_labels(task.labels)
