"""Leases: who is alive, and what becomes of the work of the dead.

A worker has a home: one partition that knows all about it and decides whether it lives. In others
in which it has claimed there is a copy of its lease, so that a claim there is one step. Copies are
renewed after the home; if that fails they end by themselves, and what it runs there goes to others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from taskkit.errors import Corrupt, InvalidInput
from taskkit.records import Heartbeat, Reclaimed, WorkerInfo, WorkerRecord
from taskkit_redis import codec, schedules
from taskkit_redis.nodes import Command
from taskkit_redis.store import Store


def register(store: Store, info: WorkerInfo, lease: int) -> None:
    """Enter a worker."""
    told = codec.pack([dict(info.groups), info.host, info.pid, info.version])
    home = store.home(info.id)
    elsewhere = store.call("register", home, info.id, lease, told)
    copies = _others(home, elsewhere)
    store.call_all("register", dict.fromkeys(copies, (info.id, lease, b"")))


def heartbeat(
    store: Store,
    worker_id: str,
    lease: int,
    held: Collection[tuple[str, int]],
    progress: Mapping[str, bytes],
) -> Heartbeat:
    """Renew a lease and exchange what both sides know."""
    home = store.home(worker_id)
    claims: dict[int, list[Any]] = {}
    for task_id, token in held:
        number, digits = token % store.count, token // store.count
        claims.setdefault(number, []).extend((task_id, f"{digits:0{codec.TOKEN_DIGITS}d}"))
    reports = store.by_partition(list(progress))

    def arguments(number: int) -> Command:
        mine = claims.get(number, [])
        told = (
            part for task_id in reports.get(number, ()) for part in (task_id, progress[task_id])
        )
        return worker_id, lease, int(number == home), len(mine) // 2, *mine, *told

    first = store.call("heartbeat", home, *arguments(home))
    if first[0] == 0:
        return Heartbeat(alive=False)
    # Where it claimed although its home does not know it: there, all of it counts as void.
    places = {*_others(home, first[5]), *(claims.keys() - {home})}
    others = store.call_all("heartbeat", {number: arguments(number) for number in places})
    answers = [first, *others.values()]
    return Heartbeat(
        alive=True,
        cancelled=_texts(part for answer in answers for part in answer[1]),
        void=_texts(part for answer in answers for part in answer[2]),
        paused=_texts(first[3]),
        stopped=_texts(first[4].split(b"\n") if first[4] else ()),
    )


def retire(store: Store, worker_id: str, lost: bool) -> int:
    """Remove a worker and return how many running tasks it left."""
    home = store.home(worker_id)
    left = 0
    if store.count > 1:
        # The home last: as long as it stands, a retirement that failed can be repeated.
        elsewhere = _others(home, store.call("attended", home, worker_id))
        answers = store.call_all("retire", {n: (worker_id, int(lost)) for n in elsewhere})
        left = sum(answers.values())
    return left + int(store.call("retire", home, worker_id, int(lost)))


def reclaim(store: Store, limit: int) -> Reclaimed:
    """Take back the running tasks of dead workers, and remove those."""
    if limit < 0:
        raise InvalidInput(f"reclaim: expected a limit from 0, found {limit}")
    if store.count == 1:
        tasks, _, removed, *_ = store.call("reclaim", 0, limit, 1)
        return Reclaimed(tasks, [worker.decode() for worker in removed])
    answers = store.call_all("reclaim", dict.fromkeys(range(store.count), (0, 0)))
    for number, answer in answers.items():
        # Whoever was to deliver them is gone, or does it at this moment, which does no harm.
        schedules.deliver(store, number, schedules.letters_of(answer[4]))
    tasks = 0
    for number, answer in list(answers.items()):
        if answer[1] and tasks < limit:
            answers[number] = store.call("reclaim", number, limit - tasks, 0)
            tasks += answers[number][0]
    busy = {worker for answer in answers.values() for worker in answer[1]}
    dead = {
        number: tuple(set(answer[3]) - busy)
        for number, answer in answers.items()
        if set(answer[3]) - busy
    }
    buried = store.call_all("bury", dead)
    return Reclaimed(tasks, [worker.decode() for names in buried.values() for worker in names])


def workers(store: Store) -> list[WorkerRecord]:
    """Return all workers by expiry."""
    answers = store.call_all("workers", dict.fromkeys(range(store.count), ()))
    rows = [answer[at : at + 5] for answer in answers.values() for at in range(0, len(answer), 5)]
    running: dict[bytes, int] = {}
    for worker, _, _, _, count in rows:
        running[worker] = running.get(worker, 0) + count
    found = [
        WorkerRecord(_read_info(worker, info), int(registered), int(expires), running[worker])
        for worker, info, registered, expires, _ in rows
        if info  # others are copies
    ]
    return sorted(found, key=lambda each: (each.expires, each.info.id))


def _read_info(worker: bytes, told: bytes) -> WorkerInfo:
    try:
        groups, host, pid, version = msgspec.msgpack.decode(told)
        return WorkerInfo(worker.decode(), groups, host, pid, version)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise Corrupt(
            f"worker {worker.decode()!r}: what it said of itself cannot be read: {error}"
        ) from error


def _others(home: int, numbers: Iterable[bytes]) -> set[int]:
    return {int(number) for number in numbers} - {home}


def _texts(parts: Iterable[bytes]) -> frozenset[str]:
    return frozenset(part.decode() for part in parts)
