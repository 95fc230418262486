"""Redis Cluster: three masters, each with a replica."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from taskkit.clock import monotonic, sleep
from taskkit_conformance.servers import places
from taskkit_conformance.servers.program import START_TIMEOUT, StartFailed
from taskkit_conformance.servers.redis import SETTINGS, Connection, make_node
from taskkit_conformance.servers.server import PrivateServer
from taskkit_conformance.servers.urls import Address

_MASTERS: Final = 3
_SLOTS: Final = 16_384
_SETTINGS: Final = {
    **SETTINGS,
    "cluster-enabled": "yes",
    "cluster-node-timeout": "1000",
    "cluster-replica-validity-factor": "0",
}


def start(program: str, settings: Mapping[str, str]) -> PrivateServer:
    """Start a cluster of its own. Its first three nodes begin as masters."""
    folder = places.folder("cluster")
    ports = places.free_ports(2 * _MASTERS)
    chosen = {**_SETTINGS, **settings}
    nodes = [make_node(program, folder, port, chosen) for port in ports]
    hosts = ",".join(f"{places.HOST}:{port}" for port in ports)
    url = f"redis+cluster://{hosts}"
    server = PrivateServer(
        *("redis-cluster", url, folder, nodes), lambda: database(url), lambda: _wait(ports)
    )
    try:
        for node in nodes:
            node.launch()
        for node in nodes:
            node.wait_ready()
        _join(ports)
        _wait(ports)
    except BaseException:
        server.stop()
        raise
    return server


def _call(port: int, *words: str) -> str:
    with Connection("redis://", Address(places.HOST, port)) as connection:
        return connection.call(*words)


def _join(ports: Sequence[int]) -> None:
    """What ``redis-cli --cluster create`` does; the wheels do not contain it."""
    masters = ports[:_MASTERS]
    for number, port in enumerate(masters):
        slots = range(_SLOTS * number // _MASTERS, _SLOTS * (number + 1) // _MASTERS)
        _call(port, "CLUSTER", "ADDSLOTS", *map(str, slots))
    for number, port in enumerate(ports, 1):
        _call(port, "CLUSTER", "SET-CONFIG-EPOCH", str(number))
        if port != ports[0]:
            _call(ports[0], "CLUSTER", "MEET", places.HOST, str(port))
    names = {port: _call(port, "CLUSTER", "MYID") for port in masters}
    for port, master in zip(ports[_MASTERS:], masters, strict=True):
        _until(partial(_knows, port, names[master]))
        _call(port, "CLUSTER", "REPLICATE", names[master])


def _wait(ports: Sequence[int]) -> None:
    """Return when every node sees the whole cluster, with as many replicas in step as masters."""
    for port in ports:
        _until(partial(_is_whole, port, len(ports)))
    _until(lambda: sum(_in_step(port) for port in ports) == len(ports) - _MASTERS)


def _knows(port: int, name: str) -> bool:
    return name in _call(port, "CLUSTER", "NODES")


def _is_whole(port: int, nodes: int) -> bool:
    connected = _call(port, "CLUSTER", "NODES").count(" connected")
    return connected >= nodes and "cluster_state:ok" in _call(port, "CLUSTER", "INFO")


def _in_step(port: int) -> bool:
    return "master_link_status:up" in _call(port, "INFO", "replication")


def _until(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + START_TIMEOUT
    while not holds():
        if monotonic() > deadline:
            raise StartFailed(f"the cluster is not whole after {START_TIMEOUT:.0f} s")
        sleep(0.02)


@contextmanager
def database(url: str) -> Iterator[str]:
    """Yield the cluster's URL: it has one database only, so prefixes keep tests apart."""
    yield url
