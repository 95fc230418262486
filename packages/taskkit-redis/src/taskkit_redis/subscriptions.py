"""The connections on which news arrive: one for each server that holds a partition of interest."""

from __future__ import annotations

import select
from collections.abc import Collection, Sequence
from typing import Any, Final, TypeAlias

from redis.exceptions import RedisError

from taskkit.errors import BackendError
from taskkit_redis.faults import translated
from taskkit_redis.nodes import Node, yield_point
from taskkit_redis.store import Store

Message: TypeAlias = tuple[str, Sequence[str]]
"""``wake`` and groups, or ``done`` and ids."""

_LONGEST: Final = 86_400.0
"""Seconds of one sleep (`poll` counts milliseconds in 32 bits); who waits longer sleeps again."""

_LOST = "the subscription to a part of the store has ended"


class Lost(Exception):
    """A subscription has ended; nobody can say what was missed."""

    def __init__(self, reason: BackendError) -> None:
        super().__init__(str(reason))
        self.reason = reason


class Subscriptions:
    """What we listen to. Only one thread at a time may read, and none while others change it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connections: dict[Node, Any] = {}
        self._heard: frozenset[int] = frozenset()

    @property
    def is_open(self) -> bool:
        """Whether anything is listened to."""
        return bool(self._connections)

    def missing(self, places: Collection[int]) -> Collection[int]:
        """Return which of these partitions are not yet listened to."""
        return [number for number in places if number not in self._heard]

    def add(self, places: Collection[int]) -> None:
        """Listen to more partitions; returns when the servers have confirmed it.

        Raises:
            Unavailable: a server cannot be reached.
        """
        # All anew: a connection that somebody reads right now cannot be asked for more.
        wanted = self._heard | set(places)
        self._store.ready()
        self.close()
        yield_point.reach()
        by_node: dict[Node, list[int]] = {}
        for number in wanted:
            node = self._store.topology.node(self._store.partitions[number].slot)
            by_node.setdefault(node, []).append(number)
        for node, numbers in by_node.items():
            self._connections[node] = self._listen(node, numbers)
        self._heard = frozenset(wanted)

    def _listen(self, node: Node, numbers: Sequence[int]) -> Any:
        verb = "SSUBSCRIBE" if self._store.publish == "SPUBLISH" else "SUBSCRIBE"
        connection = node.connect()
        try:
            connection.connect()
            for number in numbers:
                base = self._store.partitions[number].base
                connection.send_command(verb, f"{base}wake", f"{base}done", check_health=False)
                for _ in range(2):
                    connection.read_response()
        except (RedisError, OSError) as error:
            connection.disconnect()
            self._store.topology.refresh()
            raise translated(error, node.where) from error
        return connection

    def read(self, timeout: float, bell: int) -> Sequence[Message]:
        """Return what has been published; nothing after ``timeout`` seconds, or when it rings.

        Raises:
            Lost: a subscription has ended.
        """
        # What was read ahead lies in no socket.
        found = self._drain()
        if found:
            return found
        # redis-py has no public way to wait for several connections, or for one and a bell.
        sockets = [each._sock for each in self._connections.values()]  # noqa: SLF001 - see above
        if None in sockets:
            raise Lost(translated(OSError(_LOST), "?"))
        _sleep([bell, *sockets], timeout)
        return self._drain()

    def _drain(self) -> list[Message]:
        found: list[Message] = []
        for node, connection in list(self._connections.items()):
            try:
                while connection.can_read(0):
                    kind, channel, told = connection.read_response()
                    if not kind.endswith(b"message"):
                        break  # the slot moves away, and with it what is published
                    name = channel.rpartition(b":")[2].decode()
                    found.append((name, told.decode().split("\n")))
                else:
                    continue
            except (RedisError, OSError) as error:
                raise Lost(translated(error, node.where)) from error
            raise Lost(translated(OSError(_LOST), node.where))
        return found

    def close(self) -> None:
        """Listen to nothing."""
        for connection in self._connections.values():
            connection.disconnect()
        self._connections = {}
        self._heard = frozenset()


def _sleep(sources: Collection[Any], seconds: float) -> None:
    """Return when one of these can be read or has ended, or after so many seconds."""
    # Not select.select, which takes no descriptor from 1024 on.
    sleeping = select.poll()
    for source in sources:
        sleeping.register(source, select.POLLIN)
    # Python rounds up to a whole millisecond: nobody spins through the last one.
    sleeping.poll(min(seconds, _LONGEST) * 1000)
