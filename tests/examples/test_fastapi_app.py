"""The shop: an order and its task are one transaction, on each database."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from taskkit.task import State

pytest_plugins = ["taskkit_conformance.servers.fixtures"]

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "fastapi_app.py"
DRIVERS = {"postgresql:": "postgresql+psycopg:", "mysql:": "mysql+pymysql:"}


@pytest.fixture(params=["sqlite", "postgres_url", "mariadb_url"])
def shop(request, tmp_path, monkeypatch):
    """The program on an empty database."""
    url = f"sqlite:///{tmp_path}/shop.db"
    if request.param != "sqlite":
        url = request.getfixturevalue(request.param)
    for scheme, full in DRIVERS.items():
        url = url.replace(scheme, full)
    monkeypatch.setenv("DATABASE_URL", url)
    spec = importlib.util.spec_from_file_location("fastapi_app", EXAMPLE)
    shop = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fastapi_app", shop)
    spec.loader.exec_module(shop)
    yield shop
    shop.kit.close()
    shop.engine.dispose()


def order(client, count):
    return client.post("/orders", json={"article": "book", "count": count})


def test_an_order_is_taken_and_confirmed(shop):
    with TestClient(shop.app) as client:
        taken = order(client, 2)
        assert taken.status_code == 201
        there = f"/orders/{taken.json()['number']}"
        assert client.get(there).json() == {"article": "book", "count": 2, "confirmed": False}
        with shop.kit.running(threads={"mail": 2}):
            shop.kit.get_result(taken.json()["task"]).get(timeout=30)
        assert client.get(there).json()["confirmed"] is True


def test_an_order_that_is_refused_leaves_neither_a_row_nor_a_task(shop):
    with TestClient(shop.app) as client:
        first = order(client, 8)
        assert order(client, 3).status_code == 409
        assert order(client, 2).status_code == 201
        numbers = [first.json()["number"] + step for step in range(3)]
        found = [client.get(f"/orders/{number}") for number in numbers]
        assert sum(answer.status_code == 200 for answer in found) == 2
    stats = shop.kit.stats()
    assert stats.count("mail", State.QUEUED) == 2


def test_what_is_no_order_is_told_so(shop):
    with TestClient(shop.app) as client:
        assert order(client, 0).status_code == 422
        assert client.get("/orders/7").status_code == 404
    assert shop.kit.stats().count("mail", State.QUEUED) == 0


def test_what_the_readme_shows_is_what_runs():
    readme = (ROOT / "packages" / "taskkit-sql" / "README.md").read_text()
    (shown,) = re.findall(r"```python\n(@app\.post.*?)```", readme, re.S)
    assert shown in EXAMPLE.read_text()
