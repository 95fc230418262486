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
