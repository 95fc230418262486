"""The hot path: put, claim, settle."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from taskkit.errors import Corrupt, InvalidInput, QueueFull
from taskkit.records import Claim, Claims, Outcome, PutResult, Settlement
from taskkit.task import Failure, NewTask
from taskkit.thaw import maker
from taskkit_redis import codec, stored
from taskkit_redis.nodes import Command
from taskkit_redis.store import Store

_NEW: Final = 0
_KNOWN: Final = 1

_log = logging.getLogger("taskkit.redis")


# ---- put


def put(store: Store, tasks: Sequence[NewTask]) -> list[PutResult]:
    """Store tasks: all of them or none, as far as they are of one partition."""
    if not tasks:
        return []
    places = by_partition(store, tasks)
    if len(places) == 1 and (plain := codec.plain_arguments(tasks)):
        [number] = places
        answer = store.call("put_plain", number, *plain)
        if answer is not None:
            return [_put_result(task, one) for task, one in zip(tasks, answer, strict=True)]
    if len(places) > 1:
        # A group that is full refuses all, so each is asked before any is told. Between the two
        # another client may fill it: then the other partitions have put their tasks already.
        looks: dict[int, Command] = {n: (1, 1, *_arguments(mine)) for n, mine in places.items()}
        _call_put(store, looks)
    calls: dict[int, Command] = {n: (1, 0, *_arguments(mine)) for n, mine in places.items()}
    answers = _call_put(store, calls)
    if len(places) == 1:
        [answer] = answers.values()
        return [_put_result(task, one) for task, one in zip(tasks, answer, strict=True)]
    lines = {number: iter(answer) for number, answer in answers.items()}
    return [_put_result(task, next(lines[_place(store, task)])) for task in tasks]


def by_partition(store: Store, tasks: Sequence[NewTask]) -> dict[int, list[NewTask]]:
    """Return tasks by the partition that each belongs to, in the order given."""
    if store.count == 1:
        return {0: list(tasks)}
    places: dict[int, list[NewTask]] = {}
    for task in tasks:
        places.setdefault(_place(store, task), []).append(task)
    return places


def _place(store: Store, task: NewTask) -> int:
    return store.of_task(task.id, keyed=bool(task.unique_key or task.lock_key))


def _arguments(tasks: Sequence[NewTask]) -> list[Any]:
    return [part for task in tasks for part in codec.task_arguments(task)]


def _call_put(store: Store, calls: Mapping[int, Command]) -> dict[int, Any]:
    """Return what partitions answer, once each has made what room can be made."""
    answers: dict[int, Any] = {}
    left = calls
    while left:
        answers |= store.call_all("put", left)
        for number in left:
            _refuse_full(answers[number])
        # Each round cancels some of what has expired there, until there is room or no more of it.
        left = {number: left[number] for number in left if answers[number][0] == b"AGAIN"}
    return answers


def _refuse_full(answer: Any) -> None:
    if answer[0] == b"FULL":
        raise QueueFull(answer[1].decode(), int(answer[2]))


def _put_result(task: NewTask, answer: Any) -> PutResult:
    if answer == _NEW:
        return PutResult(task.id)
    if answer == _KNOWN:
        return PutResult(task.id, "known")
    return PutResult(answer.decode(), "duplicate")


# ---- claim

_make_claim = maker(Claim)


@dataclass(slots=True)
class _Hunt:
    """One claim while it goes through the partitions."""

    left: dict[str, int]
    """How many of each want are still wanted."""
    claims: list[Claim] = field(default_factory=list)
    broken: list[Settlement] = field(default_factory=list)
    dues: dict[int, int] = field(default_factory=dict)
    now: int = 0


def claim(
    store: Store, worker_id: str, wants: Mapping[str, int], excluding: Collection[str]
) -> Claims:
    """Give due tasks to a worker."""
    for want, most in wants.items():
        if most < 0:
            raise InvalidInput(f"wanted of {want!r}: expected a number from 0, found {most}")
    hunt = _Hunt(dict(wants))
    asked = _shares(store, worker_id, wants)
    while asked:
        calls: dict[int, Command] = {
            number: (worker_id, len(mine), *_flat(mine), *excluding)
            for number, mine in asked.items()
        }
        answers = store.call_all("claim", calls)
        again: dict[int, dict[str, int]] = {}
        for number, answer in answers.items():
            if answer[1] == 0:
                if not _attend(store, worker_id, number):
                    return Claims(now=int(answer[0]), alive=False)
                again[number] = asked[number]
            else:
                _read(store, number, asked[number], answer, hunt)
        asked = {**again, **_next_round(store, asked, answers, hunt)}
    if hunt.broken:
        _condemn(store, hunt.broken)
    return Claims(hunt.claims, min(hunt.dues.values(), default=None), hunt.now)


def _flat(wants: Mapping[str, int]) -> list[str | int]:
    return [part for pair in wants.items() for part in pair]


def _shares(store: Store, worker_id: str, wants: Mapping[str, int]) -> dict[int, dict[str, int]]:
    """Return what to ask of each partition first: of a group with shards its share of each."""
    if store.count == 1:
        return {0: dict(wants)}
    asked: dict[int, dict[str, int]] = {}
    for want, most in wants.items():
        places = store.of_group(want)
        for turn, number in enumerate(places):
            share = most // len(places) + (turn < most % len(places))
            asked.setdefault(number, {})[want] = share
    return asked or {store.home(worker_id): {}}


def _next_round(
    store: Store,
    asked: Mapping[int, Mapping[str, int]],
    answers: Mapping[int, Any],
    hunt: _Hunt,
) -> dict[int, dict[str, int]]:
    """Return what to ask once more: where a script stopped early, or a shard may have more."""
    again: dict[int, dict[str, int]] = {}
    for number, answer in answers.items():
        if answer[1] == 0:
            continue
        for (want, share), got in zip(asked[number].items(), answer[4:], strict=False):
            left = hunt.left[want]
            may_have = answer[2] or (got == share and len(store.of_group(want)) > 1)
            if left > 0 and may_have:
                again.setdefault(number, {})[want] = left
                if len(store.of_group(want)) > 1:
                    # One after the other: together they would bring too many.
                    return again
    return again


def _read(store: Store, number: int, asked: Mapping[str, int], answer: Any, hunt: _Hunt) -> None:
    now = int(answer[0])
    hunt.now = max(hunt.now, now)
    if answer[3]:
        hunt.dues[number] = int(answer[3])
    else:
        hunt.dues.pop(number, None)
    place = 4
    for want in asked:
        hunt.left[want] -= answer[place]
        place += 1
    token = int(answer[place] or 0) * store.count + number
    pairs = iter(answer[place + 1])
    for name, raw in zip(pairs, pairs, strict=True):
        task_id = name.decode()
        try:
            task, attempts, losses = stored.read_claimed(task_id, raw)
        except Corrupt as error:
            # It may not stop the others; it fails, with its bytes to be looked at.
            _log.error("%s; it fails", error)
            failure = Failure("taskkit.errors.Corrupt", str(error))
            hunt.broken.append(Settlement(task_id, token, Outcome.FAIL, failure=failure))
            continue
        hunt.claims.append(_make_claim(task, token, attempts + 1, losses, now))


def _attend(store: Store, worker_id: str, number: int) -> bool:
    """Let a worker claim in a partition that is not its home; return whether it is alive."""
    home = store.home(worker_id)
    if number == home:
        return False
    lease = int(store.call("attend", home, worker_id, number))
    if lease > 0:
        store.call("register", number, worker_id, lease, b"")
    return lease > 0


def _condemn(store: Store, broken: Sequence[Settlement]) -> None:
    settle(store, broken)


# ---- settle


def settle(store: Store, settlements: Sequence[Settlement]) -> list[bool]:
    """End claims; answer for each whether its settlement stands."""
    if not settlements:
        return []
    partitions = store.count
    if partitions == 1:
        parts = codec.settlements_arguments([(one, one.token) for one in settlements])
        return _stand(store.call("settle", 0, *parts), len(settlements))
    places: dict[int, list[tuple[Settlement, int]]] = {}
    for one in settlements:
        token, number = divmod(max(one.token, 0), partitions)
        places.setdefault(number, []).append((one, token))
    calls: dict[int, Command] = {
        n: tuple(codec.settlements_arguments(mine)) for n, mine in places.items()
    }
    answers = store.call_all("settle", calls)
    lines = {n: iter(_stand(answer, len(places[n]))) for n, answer in answers.items()}
    return [next(lines[max(one.token, 0) % partitions]) for one in settlements]


def _stand(answer: Any, count: int) -> list[bool]:
    """Return which of so many settlements stand; the script has one word for all of them."""
    return [True] * count if answer == 1 else [one == 1 for one in answer]
