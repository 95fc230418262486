"""What is peculiar to Redis; what every store promises is proved by the conformance suite."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from taskkit.clock import ManualClock
from taskkit.stores import connect_url
from taskkit_conformance.servers.fixtures import (  # noqa: F401 - fixtures are found by name
    redis_cluster,
    redis_sentinel,
    redis_server,
    redis_url,
)

# Test modules are imported by path; what they and their child processes share needs a name.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def opened(request):
    """Open backends; all are closed at the end. Without a URL on the single server."""
    backends = []

    def open_one(url=None, **options):
        url = url or request.getfixturevalue("redis_url")
        backends.append(connect_url(url, **options))
        return backends[-1]

    yield open_one
    for backend in backends:
        backend.close()


@pytest.fixture
def backend(opened):
    return opened()


@pytest.fixture
def raw(redis_url):  # noqa: F811 - pytest gives it the imported one
    """A client of the driver's own."""
    with redis.Redis.from_url(redis_url, retry=Retry(NoBackoff(), 0)) as client:
        yield client
