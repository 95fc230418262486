"""Pytest fixtures: a server for the session, an empty database for a test.

Ask for them in a ``conftest.py``::

    pytest_plugins = ["taskkit_conformance.servers.fixtures"]

Where a server is missing, its tests are skipped with a line that says how to get it; where the
environment variable ``CI`` is set they fail, because there a skip would go unnoticed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from taskkit_conformance.servers import Missing, Server, obtain


def _session(kind: str) -> Iterator[Server]:
    try:
        server = obtain(kind)
    except Missing as missing:
        if os.environ.get("CI", "").lower() in {"", "0", "false"}:
            pytest.skip(str(missing))
        pytest.fail(str(missing), pytrace=False)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Yield a PostgreSQL server."""
    yield from _session("postgres")


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """Yield a MariaDB server."""
    yield from _session("mariadb")


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[Server]:
    """Yield a MySQL server."""
    yield from _session("mysql")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """Yield a Redis or Valkey server."""
    yield from _session("redis")


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[Server]:
    """Yield a cluster of three masters and three replicas."""
    yield from _session("redis-cluster")


@pytest.fixture(scope="session")
def redis_sentinel() -> Iterator[Server]:
    """Yield a master and a replica with three sentinels."""
    yield from _session("redis-sentinel")


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """Yield the URL of an empty PostgreSQL database."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def mariadb_url(mariadb_server: Server) -> Iterator[str]:
    """Yield the URL of an empty MariaDB database."""
    with mariadb_server.database() as url:
        yield url


@pytest.fixture
def mysql_url(mysql_server: Server) -> Iterator[str]:
    """Yield the URL of an empty MySQL database."""
    with mysql_server.database() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: Server) -> Iterator[str]:
    """Yield the URL of an empty Redis database."""
    with redis_server.database() as url:
        yield url
