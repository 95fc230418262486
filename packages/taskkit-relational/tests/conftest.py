"""What the rules and statements are tested with."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# Test modules are imported by path; what they share needs a name.
sys.path.insert(0, str(Path(__file__).parent))

from storecase import KINDS, opened


@pytest.fixture(scope="module", params=KINDS)
def house(request):
    """A store on each kind of server, for all tests of a module."""
    with opened(request, request.param) as store:
        yield store


@pytest.fixture
def store(house):
    """The store of the module, with nothing in it."""
    yield house
    house.empty()


@pytest.fixture
def say(store):
    return store.say


@pytest.fixture
def cursor(store):
    return store.first


@pytest.fixture
def other(store):
    return store.connect()
