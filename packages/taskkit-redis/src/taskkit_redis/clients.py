"""A backend from a redis-py client that somebody has already: its address and login only.

The client stays as it is, and so do its connections. Ours are made to the same server, with our
timeouts, and without the repetitions that redis-py does by default: of a put that is repeated
because its answer came late, the answer would be wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from redis import Redis, RedisCluster
from redis.connection import SSLConnection
from redis.sentinel import SentinelConnectionPool

from taskkit.errors import InvalidSetting
from taskkit_redis.backend import RedisBackend
from taskkit_redis.settings import PARTITIONS_OF_A_CLUSTER, Address, Server, Settings

# What of a client's settings tells how to log in. How it waits, repeats and decodes is its own.
_TAKEN: Final = ("credential_provider",)


def backend_of(client: object, **options: Any) -> RedisBackend:
    """Return a backend on the server of a client; the options are those of ``connect``.

    Raises:
        InvalidSetting: it is no synchronous client of redis-py, or an option is not understood.
    """
    if isinstance(client, RedisCluster):
        untyped: Any = client
        nodes = untyped.get_nodes()
        addresses = tuple((str(node.host), int(node.port)) for node in nodes)
        login = client.nodes_manager.connection_kwargs
        server = _server("cluster", login, addresses, tls=bool(login.get("ssl")))
        options.setdefault("partitions", PARTITIONS_OF_A_CLUSTER)
    elif isinstance(client, Redis):
        server = _of_pool(client.connection_pool)
    else:
        kind = f"{type(client).__module__}.{type(client).__qualname__}"
        hint = "; an asyncio client cannot be used here" if "asyncio" in kind else ""
        raise InvalidSetting(f"client: expected a redis.Redis or RedisCluster, found {kind}{hint}")
    return RedisBackend(Settings.checked(server, options))


def _of_pool(pool: Any) -> Server:
    arguments = pool.connection_kwargs
    tls = issubclass(pool.connection_class, SSLConnection)
    if isinstance(pool, SentinelConnectionPool):
        sentinels = [each.connection_pool.connection_kwargs for each in _sentinels(pool)]
        addresses = tuple((str(each["host"]), int(each["port"])) for each in sentinels)
        return _server("sentinel", arguments, addresses, tls=tls, service=str(pool.service_name))
    if "path" in arguments:
        return _server("standalone", arguments, (), path=str(arguments["path"]))
    # A port may be text: it often comes from the environment.
    address = str(arguments.get("host", "localhost")), int(arguments.get("port", 6379))
    return _server("standalone", arguments, (address,), tls=tls)


def _sentinels(pool: Any) -> list[Any]:
    return list(pool.sentinel_manager.sentinels)


def _server(
    kind: Any,
    login: Mapping[str, Any],
    addresses: tuple[Address, ...],
    *,
    tls: bool = False,
    service: str = "",
    path: str = "",
) -> Server:
    return Server(
        kind=kind,
        addresses=addresses,
        path=path,
        service=service,
        db=int(login.get("db") or 0),
        username=login.get("username"),
        password=login.get("password"),
        tls=tls,
        taken={
            name: value
            for name, value in login.items()
            if name in _TAKEN or (tls and name.startswith("ssl_"))
        },
    )
