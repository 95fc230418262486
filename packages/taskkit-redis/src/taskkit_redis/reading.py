"""Looking at tasks: it changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from taskkit.errors import InvalidInput
from taskkit.records import Count, Page, Query, Record
from taskkit.simple.searching import matches
from taskkit.task import State
from taskkit_redis import codec, stored
from taskkit_redis.store import Store

_LOOK: Final = 500
"""Ids that one script looks at: a millisecond or two."""

_END: Final = b"\xff"
"""Behind every id: it is in no text."""


def get(store: Store, ids: Collection[str]) -> dict[str, Record | None]:
    """Return a record for each distinct id, None where the store does not know it."""
    wanted = list(dict.fromkeys(ids))
    records: dict[str, Record | None] = dict.fromkeys(wanted)
    places = store.by_partition(wanted)
    for number, answer in store.call_all("get", {n: tuple(m) for n, m in places.items()}).items():
        now = int(answer[0])
        for task_id, raw, run, progress in zip(places[number], *_thirds(answer), strict=True):
            if raw is not None:
                records[task_id] = stored.read_record(
                    task_id, raw, run, progress, now, store.count, number
                )
    return records


def _thirds(answer: list[Any]) -> tuple[list[Any], list[Any], list[Any]]:
    return answer[1::3], answer[2::3], answer[3::3]


# ---- count


def count(store: Store, groups: Collection[str] | None) -> list[Count]:
    """Count tasks for each group and state that has any."""
    if groups is None:
        calls = dict.fromkeys(range(store.count), (1,))
    else:
        by_place: dict[int, list[Any]] = {}
        for group in dict.fromkeys(groups):
            for number in store.of_group(group):
                by_place.setdefault(number, [0]).append(group)
        calls = {number: tuple(mine) for number, mine in by_place.items()}
    sums: dict[tuple[str, State], tuple[int, int]] = {}
    while calls:
        answers = store.call_all("count", calls)
        for answer in answers.values():
            for group, state, number, due in _fours(answer or ()):
                place = group.decode(), State(state.decode())
                before, oldest = sums.get(place, (0, int(due)))
                sums[place] = before + number, min(oldest, int(due))
        # None: it was busy with what has expired.
        calls = {number: calls[number] for number, answer in answers.items() if answer is None}
    return [Count(*place, number, oldest) for place, (number, oldest) in sorted(sums.items())]


def _fours(answer: Any) -> Iterator[tuple[Any, Any, Any, Any]]:
    return zip(answer[0::4], answer[1::4], answer[2::4], answer[3::4], strict=True)


# ---- find


def find(store: Store, query: Query, limit: int, after: str | None) -> Page:
    """Return a page of matching tasks, ordered by id."""
    if limit < 0:
        raise InvalidInput(f"limit: expected a number from 0, found {limit}")
    letters = _letters(query)
    if not letters:
        return Page([], None)
    places = range(store.count) if query.group is None else store.of_group(query.group)
    found: list[Record] = []
    for number in places:
        found += _of_partition(store, number, query, letters, limit + 1, after)
    found.sort(key=lambda record: record.task.id)
    shown = found[:limit]
    return Page(shown, shown[-1].task.id if shown and len(found) > limit else None)


def _letters(query: Query) -> str:
    states = State if query.states is None else query.states
    return "".join(sorted({codec.LETTER_OF[state] for state in states}))


def _of_partition(
    store: Store, number: int, query: Query, letters: str, most: int, after: str | None
) -> list[Record]:
    """Return up to so many matching records of one partition, a look at a time."""
    low, high = _range(query, after)
    found: list[Record] = []
    look = min(_LOOK, max(most, 20))
    while low and len(found) < most:
        answer = store.call("find", number, low, high, look, letters)
        now = int(answer[0])
        for task_id, raw, run, progress in _fours(answer[2:]):
            record = stored.read_record(
                task_id.decode(), raw, run, progress, now, store.count, number
            )
            if matches(record, query):
                found.append(record)
        low = b"(" + answer[1] if answer[1] else b""
        look = _LOOK
    return found[:most]


def _range(query: Query, after: str | None) -> tuple[bytes, bytes]:
    low, high = b"-", b"+"
    if query.group is not None:
        # The ids of a group begin with its name and "_", those of its subgroups with its name and
        # "."; the dot sorts first.
        group = query.group.encode()
        low = b"[" + group + (b"." if query.subgroups else b"_")
        high = b"(" + group + b"_" + _END
    if after is not None and (low == b"-" or after.encode() >= low[1:]):
        low = b"(" + after.encode()
    return low, high
