"""What happens to real workers when a server, a network or a process dies under them.

Not part of the ordinary tests: minutes of work for two cores, started by ``nox -s faults``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from taskkit_conformance.servers import Missing, obtain

# Test modules are imported by path; what they and their child processes share needs a name.
sys.path.insert(0, str(Path(__file__).parent))

from system import System

SETTINGS = {
    "postgres": {},
    # Each deadlock is written down, also those that nobody but the server ever sees.
    "mariadb": {"innodb-print-all-deadlocks": "ON"},
    # What it has acknowledged survives that it is killed; with "everysec" a second may be lost.
    "redis": {"appendonly": "yes", "appendfsync": "always"},
}


@pytest.fixture(scope="session", params=SETTINGS)
def store(request):
    """Which store."""
    return request.param


@pytest.fixture(scope="session")
def server(store):
    """A server of our own, which may be killed."""
    try:
        server = obtain(store, SETTINGS[store])
    except Missing as missing:
        pytest.skip(str(missing))
    if server.restart is None:
        server.stop()
        pytest.skip(f"the {store} server that the environment names is not ours to kill")
    yield server
    server.stop()


@pytest.fixture
def url(server):
    with server.database() as url:
        yield url


@pytest.fixture
def system(url, tmp_path):
    system = System(tmp_path, url)
    yield system
    system.stop()
