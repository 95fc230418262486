"""Finding a server of a kind, or starting one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Final

from taskkit_conformance.servers import (
    mariadb,
    postgres,
    redis,
    redis_cluster,
    redis_sentinel,
)
from taskkit_conformance.servers.server import ForeignServer, PrivateServer, Server
from taskkit_conformance.servers.statements import sql_database


class Missing(Exception):
    """There is no server of this kind here; the message says how to get one."""


@dataclass(frozen=True, slots=True)
class _Kind:
    find: Callable[[], str | None]
    start: Callable[[str, Mapping[str, str]], PrivateServer]
    database: Callable[[str], AbstractContextManager[str]]
    how: str


_KINDS: Final[Mapping[str, _Kind]] = {
    "postgres": _Kind(postgres.find, postgres.start, postgres.database, postgres.HOW),
    "mariadb": _Kind(mariadb.find, mariadb.start, sql_database, mariadb.HOW),
    "mysql": _Kind(mariadb.find_mysql, mariadb.start_mysql, sql_database, mariadb.HOW_MYSQL),
    "redis": _Kind(redis.find, redis.start, redis.database, redis.HOW),
    "redis-cluster": _Kind(redis.find, redis_cluster.start, redis_cluster.database, redis.HOW),
    "redis-sentinel": _Kind(redis.find, redis_sentinel.start, redis_sentinel.database, redis.HOW),
}

KINDS: Final = tuple(_KINDS)
"""The kinds of servers that can be asked for."""


def variable_of(kind: str) -> str:
    """Return the environment variable that names a server of this kind."""
    return f"TASKKIT_TEST_{kind.upper().replace('-', '_')}_URL"


def obtain(kind: str, settings: Mapping[str, str] | None = None) -> Server:
    """Return a server: the one that the environment names, or a new one of our own.

    Whoever obtains it stops it.

    Args:
        kind: One of ``KINDS``.
        settings: What the server is to do otherwise than servers for tests do, in its own words,
            such as ``{"fsync": "on"}``. One that the environment names is used as it is.

    Raises:
        Missing: there is none, and no program to start one.
        StartFailed: its program does not start.
        KeyError: nobody knows this kind.
    """
    known = _KINDS[kind]
    url = os.environ.get(variable_of(kind))
    if url:
        return ForeignServer(kind, url, partial(known.database, url))
    program = known.find()
    if program is None:
        raise Missing(_how(kind))
    return known.start(program, settings or {})


def lacking(kind: str) -> str | None:
    """Return how to get a server of a kind that is not to be had here; None if it is.

    Raises:
        KeyError: nobody knows this kind.
    """
    has = os.environ.get(variable_of(kind)) or _KINDS[kind].find()
    return None if has else _how(kind)


def _how(kind: str) -> str:
    return f"no {kind} server: {_KINDS[kind].how}, or set {variable_of(kind)}"
