"""Redis Sentinel: a master, a replica, and three sentinels that watch over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from taskkit.clock import monotonic, sleep
from taskkit_conformance.servers import places
from taskkit_conformance.servers.program import START_TIMEOUT, StartFailed
from taskkit_conformance.servers.redis import SETTINGS, Connection, make_node
from taskkit_conformance.servers.server import PrivateServer
from taskkit_conformance.servers.urls import Address

NAME: Final = "taskkit"
"""Under which the sentinels know the master."""

_SENTINELS: Final = 3


def start(program: str, settings: Mapping[str, str]) -> PrivateServer:
    """Start a pair and its sentinels. The first of the nodes begins as master.

    The settings are for the pair.
    """
    folder = places.folder("sentinel")
    master, replica, *sentinels = places.free_ports(2 + _SENTINELS)
    watch = {
        "bind": places.HOST,
        "sentinel monitor": f"{NAME} {places.HOST} {master} {_SENTINELS // 2 + 1}",
        "sentinel down-after-milliseconds": f"{NAME} 1000",
        "sentinel failover-timeout": f"{NAME} 5000",
    }
    lead = {**SETTINGS, **settings}
    follow = {**lead, "replicaof": f"{places.HOST} {master}"}
    nodes = [
        make_node(program, folder, master, lead),
        make_node(program, folder, replica, follow),
        *(make_node(program, folder, port, watch, "--sentinel") for port in sentinels),
    ]
    url = f"redis+sentinel://{','.join(f'{places.HOST}:{port}' for port in sentinels)}/{NAME}/0"
    server = PrivateServer(
        *("redis-sentinel", url, folder, nodes), lambda: database(url), lambda: _wait(sentinels)
    )
    server.start()
    return server


def _wait(sentinels: Sequence[int]) -> None:
    """Return when each sentinel knows the replica and the other sentinels."""
    deadline = monotonic() + START_TIMEOUT
    while not all(_sees_all(port) for port in sentinels):
        if monotonic() > deadline:
            raise StartFailed(f"the sentinels do not agree after {START_TIMEOUT:.0f} s")
        sleep(0.02)


def _sees_all(port: int) -> bool:
    with Connection("redis://", Address(places.HOST, port)) as connection:
        known = connection.call("INFO", "sentinel")
    return f"status=ok,address={places.HOST}:" in known and (
        f"slaves=1,sentinels={_SENTINELS}" in known
    )


@contextmanager
def database(url: str) -> Iterator[str]:
    """Yield the same URL: sentinels watch whole servers, and prefixes keep tests apart."""
    yield url
