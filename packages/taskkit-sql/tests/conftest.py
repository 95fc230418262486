"""What is peculiar to SQL stores; what every store promises is tested by the conformance suite."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from taskkit.clock import ManualClock
from taskkit_sql import open_backend

# Test modules are imported by path; what they and their child processes share needs a name.
sys.path.insert(0, str(Path(__file__).parent))

from servercase import CASES, KINDS, connector, migrate
from servercase import opened as opened_cursor


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tasks.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def opened(url):
    """Open backends on the file; all are closed at the end."""
    backends = []

    def open_one(**options):
        backends.append(open_backend(options.pop("url", url), **options))
        return backends[-1]

    yield open_one
    for backend in backends:
        backend.close()


@pytest.fixture
def backend(opened):
    return opened()


@pytest.fixture
def raw(backend, path):
    """A connection of the driver's own, on a store that exists."""
    backend.count()
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


# ---- on servers


@pytest.fixture(params=["sqlite", *KINDS])
def somewhere(request, url):
    """The URL of a store of each kind."""
    if request.param == "sqlite":
        yield url
        return
    with request.getfixturevalue(f"{request.param}_server").database() as made:
        yield made


@pytest.fixture(scope="module", params=KINDS)
def house(request):
    """A server of each kind."""
    return request.getfixturevalue(f"{request.param}_server")


@pytest.fixture
def case(house):
    """What is said and done in its own way there."""
    return CASES[house.kind]


@pytest.fixture(scope="module")
def made(house):
    """The URL of a database with tables, for all tests of a module."""
    with house.database() as url:
        migrate(url)
        yield url


@pytest.fixture
def empty(house):
    """The URL of a database without tables."""
    with house.database() as url:
        yield url


@pytest.fixture
def server(made):
    """A connector to the database with tables; pauses are what its tests write."""
    server = connector(made)
    yield server
    with opened_cursor(server) as cursor:
        server.statements.resume(cursor, None)


@pytest.fixture
def cursor(server):
    with opened_cursor(server) as cursor:
        yield cursor


@pytest.fixture
def engine_url(made, case):
    """As SQLAlchemy has it."""
    return case.engine_url(made)


@pytest.fixture
def stored(server):
    """Return what others see."""
    with opened_cursor(server) as cursor:
        yield lambda: sorted(group for group, _ in server.statements.pauses(cursor))
