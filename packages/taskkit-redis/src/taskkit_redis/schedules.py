"""The state of schedulers, changed by compare-and-set together with the tasks that it asks for.

A schedule and its tasks may lie in different partitions, and no step reaches from one to another.
So the step that moves the schedule leaves *letters* in an outbox beside it: the tasks of each other
partition. They are delivered at once; if that fails, by whoever reads the schedule or reclaims
next.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from taskkit.errors import BackendError
from taskkit.records import ScheduleState
from taskkit.task import NewTask
from taskkit_redis import codec
from taskkit_redis.queue import by_partition
from taskkit_redis.store import Store

_log = logging.getLogger("taskkit.redis")


def load_schedule(store: Store, name: str) -> ScheduleState:
    """Return version and state under ``name``."""
    home = store.home(name)
    version, state, now, outbox = store.call("load_schedule", home, name)
    # Nobody sees a state without its tasks.
    deliver(store, home, letters_of(outbox))
    return ScheduleState(int(version), state, int(now))


def advance_schedule(
    store: Store, name: str, version: int, state: bytes, tasks: Sequence[NewTask]
) -> bool:
    """Store ``state`` and put ``tasks``, if the version is still this."""
    home = store.home(name)
    places = by_partition(store, tasks) if tasks else {}
    mine = _arguments(places.pop(home, ()))
    letters = {
        f"{name}\0{version}\0{number}".encode(): codec.pack(_arguments(theirs))
        for number, theirs in places.items()
    }
    posted = [part for letter in letters.items() for part in letter]
    if not store.call("advance_schedule", home, name, version, state, len(letters), *posted, *mine):
        return False
    try:
        deliver(store, home, letters)
    except BackendError:
        # They are safe: whoever reclaims delivers them.
        _log.warning("schedule %r: some tasks are delivered later", name, exc_info=True)
    return True


def letters_of(outbox: Sequence[bytes]) -> dict[bytes, bytes]:
    """Return the letters of an outbox as scripts tell it: contents by address."""
    return dict(zip(outbox[0::2], outbox[1::2], strict=True))


def deliver(store: Store, home: int, letters: Mapping[bytes, bytes]) -> None:
    """Put the tasks of letters that lie in an outbox, and take them out."""
    if not letters:
        return
    for address, content in letters.items():
        number = int(address.rpartition(b"\0")[2])
        store.call("deliver", number, address, *msgspec.msgpack.decode(content))
    store.call("delivered", home, *letters)


def _arguments(tasks: Sequence[NewTask]) -> list[Any]:
    return [part for task in tasks for part in codec.task_arguments(task)]
