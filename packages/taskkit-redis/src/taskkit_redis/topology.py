"""Which server holds a partition: one server, the master behind sentinels, or a cluster's nodes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.retry import Retry
from redis.sentinel import Sentinel

from taskkit.errors import BackendError, Unavailable
from taskkit_redis.nodes import Connect, Node
from taskkit_redis.settings import Address, Settings


class Topology(Protocol):
    """The servers of a store."""

    def node(self, slot: int) -> Node:
        """Return the server that holds a slot."""
        ...

    def nodes(self) -> Sequence[Node]:
        """Return all servers that hold any."""
        ...

    def refresh(self) -> None:
        """Forget who holds what; it is asked for anew."""
        ...

    def close(self) -> None:
        """Let go of all connections."""
        ...


def topology_of(settings: Settings) -> Topology:
    """Return how the servers of these settings are found; nothing is connected."""
    match settings.server.kind:
        case "cluster":
            return Clustered(settings)
        case "sentinel":
            return Single(Node(_names(settings), *_by_sentinel(settings)))
        case _:
            return Single(Node(_names(settings), connector(settings)))


def connector(settings: Settings, address: Address | None = None) -> Connect:
    """Return what makes connections to an address, or to the one of the settings."""
    server = settings.server
    options: dict[str, Any] = {
        "db": server.db,
        "username": settings.username or server.username,
        "password": settings.password if settings.password is not None else server.password,
        "socket_timeout": settings.timeout,
        "socket_connect_timeout": settings.connect_timeout,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "client_name": settings.client_name,
        **server.taken,
    }
    if server.path:
        of_socket: Any = UnixDomainSocketConnection  # its stub calls it abstract
        return partial(of_socket, path=server.path, **options)
    host, port = address or server.addresses[0]
    options |= {"host": host, "port": port, "socket_keepalive": True}
    if not server.tls:
        return partial(Connection, **options)
    return partial(SSLConnection, **(_tls(settings) | options))


def _tls(settings: Settings) -> dict[str, Any]:
    return {
        "ssl_ca_certs": settings.ssl_ca_certs,
        "ssl_certfile": settings.ssl_certfile,
        "ssl_keyfile": settings.ssl_keyfile,
        "ssl_check_hostname": settings.ssl_check_hostname,
        **settings.server.taken,
    }


def _names(settings: Settings) -> str:
    server = settings.server
    return server.path or ", ".join(f"{host}:{port}" for host, port in server.addresses)


class Single:
    """One server, or one master at a time."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def node(self, slot: int) -> Node:  # noqa: ARG002 - it holds all
        return self._node

    def nodes(self) -> Sequence[Node]:
        return [self._node]

    def refresh(self) -> None:
        self._node.reset()

    def close(self) -> None:
        self._node.close()


# ---- sentinels


def _by_sentinel(settings: Settings) -> tuple[Connect, Callable[[], None]]:
    """Return what connects to the master of now, and what forgets who that was."""
    server = settings.server
    login = {
        "username": settings.sentinel_username,
        "password": settings.sentinel_password,
        "socket_timeout": settings.connect_timeout,
        "socket_connect_timeout": settings.connect_timeout,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
    }
    if server.tls:
        login |= {"ssl": True, **_tls(settings)}
    untyped: Any = Sentinel
    sentinel = untyped(server.addresses, sentinel_kwargs=login)
    known: list[Address] = []

    def connect() -> Any:
        master = known[-1:] or [sentinel.discover_master(server.service)]
        known[:] = master
        return connector(settings, master[0])()

    return connect, known.clear


# ---- clusters

_SLOTS: Final = 16_384


class Clustered:
    """A cluster: each slot belongs to one master, until it is moved or the master fails."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._nodes: dict[Address, Node] = {}
        self._holders: Sequence[Address | None] = ()
        self._closed = False

    def node(self, slot: int) -> Node:
        with self._lock:
            if not self._holders:
                self._holders = self._ask()
            address = self._holders[slot]
            if address is None:
                self._holders = ()
                raise Unavailable(f"no node of the cluster holds slot {slot} now")
            return self._node(address)

    def nodes(self) -> Sequence[Node]:
        self.node(0)
        with self._lock:
            return [self._node(each) for each in set(self._holders) if each is not None]

    def refresh(self) -> None:
        # Not under the lock: it is called by nodes, one of which may be asked under it.
        self._holders = ()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for node in self._nodes.values():
                node.close()

    def _node(self, address: Address) -> Node:
        found = self._nodes.get(address)
        if found is None:
            connect = connector(self._settings, address)
            found = Node(f"{address[0]}:{address[1]}", connect, self.refresh)
            self._nodes[address] = found
            if self._closed:
                found.close()
        return found

    def _ask(self) -> Sequence[Address | None]:
        """Return who holds each slot, as the first node that answers says."""
        errors: list[BackendError] = []
        # Those first that were masters last: seeds may be long gone.
        for address in dict.fromkeys([*self._nodes, *self._settings.server.addresses]):
            try:
                found = self._node(address).run_one("CLUSTER", "SLOTS")
            except BackendError as error:
                errors.append(error)
                continue
            holders: list[Address | None] = [None] * _SLOTS
            for first, last, (host, port, *_), *_replicas in found:
                # Behind one address for all, nodes tell no name: it is the one that was asked, and
                # only the ports differ.
                holder = (host.decode() if host else address[0], int(port))
                for slot in range(first, last + 1):
                    holders[slot] = holder
            if any(holders):
                return holders
        raise Unavailable(f"no node of the cluster answers: {errors[-1] if errors else 'none'}")
