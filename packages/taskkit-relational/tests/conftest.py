"""What the rules and statements are tested with."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

# Test modules are imported by path; what they share needs a name.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def store(postgres_url):
    """A store in an empty PostgreSQL database."""
    from postgrescase import Store

    with closing(Store(postgres_url)) as opened:
        yield opened


@pytest.fixture
def say(store):
    return store.say


@pytest.fixture
def cursor(store):
    return store.first


@pytest.fixture
def other(store):
    return store.connect()
