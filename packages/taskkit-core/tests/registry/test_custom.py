"""Pydantic models as arguments and results, where pydantic is installed."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from taskkit.errors import InvalidTask
from taskkit.registry import TaskRegistry
from taskkit.task import Task


def test_pydantic_is_never_imported_by_the_codec():
    code = """
import sys
from taskkit import TaskRegistry
function = TaskRegistry().task(lambda x: x)
function.codec.encode((1,), {})
sys.exit("pydantic" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=20).returncode == 0


def test_declaring_tasks_imports_no_codec():
    code = """
import sys
from taskkit import TaskRegistry
function = TaskRegistry().task(lambda x: x)
sys.exit("msgspec" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=20).returncode == 0


def test_models_arrive_as_they_were_at_any_depth():
    pydantic = pytest.importorskip("pydantic")
    tasks = TaskRegistry()

    class User(pydantic.BaseModel):
        name: str
        born: date

    class Strict(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(strict=True, frozen=True)
        day: date

    def echo(user, more):
        return user, more

    echo.__annotations__ = {
        "user": User,
        "more": dict[str, list[Strict | None]],
        "return": tuple[User, dict[str, list[Strict | None]]],
    }
    function = tasks.task(echo)
    user = User(name="a", born=date(2000, 1, 1))
    more = {"x": [Strict(day=date(2026, 1, 1)), None]}
    data = function.codec.encode((user, more), {})
    task = Task("g_" + "0" * 32, "g", function.name, data, due=0, created=0)
    assert tasks.handle(task) == (user, more)
    stored = tasks.encode_result(task, (user, more))
    assert tasks.decode_result(task, stored) == (user, more)
    assert function.codec.encode(({"name": "a", "born": date(2000, 1, 1)}, more), {}) == data
    for bad in ({"name": "a"}, {"name": 5, "born": "2000-01-01"}, 5, "user"):
        with pytest.raises(InvalidTask, match="argument 'user'"):
            function.codec.encode((bad, more), {})
