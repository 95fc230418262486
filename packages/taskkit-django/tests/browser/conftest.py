"""The browser's tests share one site, and tell one story: they run in the order of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

_HERE = Path(__file__).parent


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Other tests run in random order.
    places = [index for index, item in enumerate(items) if item.path.parent == _HERE]
    story = sorted((items[place] for place in places), key=lambda item: item.location[1] or 0)
    for place, item in zip(places, story, strict=True):
        items[place] = item
