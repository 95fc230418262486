"""The store as everything in this package sees it: partitions, and scripts that run in them.

All keys of a partition share a hash tag, so that one script may touch them all, on a cluster too.
A group belongs to the partition of its name before the first dot: a group, its subgroups and their
turns are together. Standalone there is one partition, and each call is one script.
"""

from __future__ import annotations

import threading
from binascii import crc_hqx
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.crc import key_slot
from redis.exceptions import RedisError

from taskkit.clock import Clock, monotonic, sleep
from taskkit.errors import Unavailable
from taskkit_redis.faults import is_moved, translated
from taskkit_redis.nodes import Command, Node
from taskkit_redis.scripts import Script, script
from taskkit_redis.settings import Settings
from taskkit_redis.topology import Topology

_SLOTS: Final = 16_384
_PAUSE: Final = 0.02
"""Seconds between two tries while a slot is being moved."""

NEVER_WRITES: Final = frozenset({"get", "find", "count", "workers", "control", "load_schedule"})


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of the store that lies in one slot."""

    number: int
    base: str
    """What all its keys begin with."""
    slot: int


def partitions_of(prefix: str, count: int) -> tuple[Partition, ...]:
    """Return the partitions of a store, spread evenly over the slots of a cluster."""
    if count == 1:
        return (_partition(0, f"{{{prefix}}}:"),)
    return tuple(_placed(prefix, number, count) for number in range(count))


def _placed(prefix: str, number: int, count: int) -> Partition:
    # The salt is what makes the tag's hash fall into this partition's share of the slots, so that
    # any number of masters gets as many partitions as the next.
    salt = 0
    while True:
        found = _partition(number, f"{{{prefix}:{number}:{salt}}}:")
        if found.slot * count // _SLOTS == number:
            return found
        salt += 1


def _partition(number: int, base: str) -> Partition:
    return Partition(number, base, key_slot(base.encode()))


class Store:
    """Runs scripts where the keys are. Thread-safe."""

    def __init__(self, settings: Settings, topology: Topology, clock: Clock | None) -> None:
        self.settings = settings
        self.topology = topology
        self.clock = clock
        self.partitions = partitions_of(settings.prefix, settings.partitions)
        self._moves = settings.server.kind == "cluster"
        """Whether partitions may move from one server to another."""
        self.publish = "SPUBLISH" if self._moves else "PUBLISH"
        self.prepare: Callable[[], None] = lambda: None
        """Called before the first use; looks at the server and the layout."""
        self._prepared = False
        self._preparing = threading.Lock()

    @property
    def count(self) -> int:
        """How many partitions there are."""
        return len(self.partitions)

    # ---- where things are

    def home(self, name: str) -> int:
        """Return the partition of a worker or a schedule."""
        return crc_hqx(name.encode(), 0) % self.count

    def of_group(self, group: str) -> Sequence[int]:
        """Return the partitions of a group: one, or as many as it has shards."""
        if self.count == 1:
            return (0,)
        root = group.partition(".")[0]
        first = crc_hqx(root.encode(), 0)
        shards = self.settings.shards.get(root, 1)
        stride = self.count // shards
        return tuple((first + shard * stride) % self.count for shard in range(shards))

    def of_task(self, task_id: str, *, keyed: bool = False) -> int:
        """Return the partition of a task; keys are kept where its group begins."""
        found = self.of_group(task_id[:-33])
        if keyed or len(found) == 1:
            return found[0]
        return found[crc_hqx(task_id.encode(), 0) % len(found)]

    def may_hold(self, task_id: str) -> Sequence[int]:
        """Return the partitions in which a task can be, whether or not it has a key."""
        if self.count == 1:
            return (0,)
        return tuple({self.of_task(task_id), self.of_task(task_id, keyed=True)})

    def by_partition(self, ids: Sequence[str]) -> dict[int, list[str]]:
        """Return ids by the partitions in which they may be."""
        if self.count == 1:
            return {0: list(ids)} if ids else {}
        found: dict[int, list[str]] = {}
        for task_id in ids:
            for number in self.may_hold(task_id):
                found.setdefault(number, []).append(task_id)
        return found

    # ---- scripts

    def now(self) -> str:
        """Return the given clock's now as scripts take it; empty: the server's own."""
        return "" if self.clock is None else f"{self.clock.now():018d}"

    def arguments(self, number: int, *arguments: Any) -> Command:
        """Return what a script of this partition is called with, from its one key on."""
        return (self.partitions[number].base, self.now(), self.publish, *arguments)

    def call(self, name: str, number: int, *arguments: Any) -> Any:
        """Run a script in a partition and return its answer."""
        if self._moves or self.settings.replicas:
            return self.call_all(name, {number: arguments})[number]
        # Straight through: there is one server, which answers, and nobody else to be asked.
        self.ready()
        partition = self.partitions[number]
        node = self.topology.node(partition.slot)
        call = (partition.base, self.now(), self.publish, *arguments)
        [answer] = node.evaluate(script(name), [call])
        if isinstance(answer, RedisError):
            raise translated(answer, node.where) from answer
        return answer

    def call_all(self, name: str, calls: Mapping[int, Command]) -> dict[int, Any]:
        """Run a script in several partitions, those of one server together.

        Each is one atomic step. If one fails, others may have been done.
        """
        self.ready()
        chosen = script(name)
        now = self.now()
        left = {
            number: (self.partitions[number].base, now, self.publish, *arguments)
            for number, arguments in calls.items()
        }
        answers: dict[int, Any] = {}
        deadline = monotonic() + self.settings.timeout
        while left:
            moved = self._round(chosen, left, answers)
            if not moved:
                break
            # It was not executed: the slot is, or will be, somewhere else.
            self.topology.refresh()
            if monotonic() > deadline:
                raise Unavailable(f"partitions {sorted(moved)} are being moved; last: {moved}")
            sleep(_PAUSE)
            left = {number: left[number] for number in moved}
        return answers

    def _round(
        self, chosen: Script, calls: Mapping[int, Command], answers: dict[int, Any]
    ) -> dict[int, RedisError]:
        """Run each call once; return what was not executed because its slot has moved."""
        moved: dict[int, RedisError] = {}
        waiting = self._waiting(chosen)
        for node, numbers in self._by_node(calls).items():
            found = node.evaluate(chosen, [calls[number] for number in numbers], waiting)
            for number, answer in zip(numbers, found, strict=False):
                if not isinstance(answer, RedisError):
                    answers[number] = answer
                elif self._moves and is_moved(answer):
                    moved[number] = answer
                else:
                    raise translated(answer, node.where) from answer
            if waiting:
                self._confirm(chosen, node, found[-1])
        return moved

    def _by_node(self, calls: Mapping[int, Command]) -> dict[Node, list[int]]:
        if len(calls) == 1:
            [number] = calls
            return {self.topology.node(self.partitions[number].slot): [number]}
        found: dict[Node, list[int]] = {}
        for number in calls:
            node = self.topology.node(self.partitions[number].slot)
            found.setdefault(node, []).append(number)
        return found

    def _waiting(self, chosen: Script) -> Sequence[Command]:
        settings = self.settings
        if not settings.replicas or chosen.name in NEVER_WRITES:
            return ()
        return [("WAIT", settings.replicas, int(settings.replicas_timeout * 1000))]

    def _confirm(self, chosen: Script, node: Node, confirmed: Any) -> None:
        """Refuse to call done what too few replicas have."""
        settings = self.settings
        if not isinstance(confirmed, int) or confirmed < settings.replicas:
            raise Unavailable(
                f"{chosen.name}: done at {node.where}, but confirmed by {confirmed} of "
                f"{settings.replicas} replicas within {settings.replicas_timeout} s"
            )

    # ---- first use

    def ready(self) -> None:
        """Look at the server and the layout, once."""
        if self._prepared:
            return
        with self._preparing:
            if not self._prepared:
                self.prepare()
                self._prepared = True
