"""What the kit does with tasks before the store sees them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from taskkit import Kit, TaskRegistry
from taskkit.errors import InvalidInput, InvalidTask
from taskkit.ids import new_id
from taskkit.memory import MemoryBackend
from taskkit.task import NewTask


def task(**fields):
    return NewTask(**{"id": new_id("g"), "group": "g", "name": "n", "data": b"", **fields})


class Small(MemoryBackend):
    """Takes three tasks in one call."""

    def capabilities(self):
        return replace(super().capabilities(), max_batch=3)


def test_as_many_as_the_store_takes_are_put():
    kit = Kit(Small(), TaskRegistry())
    assert len(kit.put_new([task() for _ in range(3)])) == 3


def test_more_are_refused_with_the_number_and_nothing_is_put():
    kit = Kit(Small(), TaskRegistry())
    with pytest.raises(InvalidInput, match="at most 3 tasks in one call.*found 4; nothing was put"):
        kit.put_new([task() for _ in range(4)])
    assert kit.backend.count() == []


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_what_is_like_bytes_becomes_bytes(kind):
    kit = Kit(MemoryBackend(), TaskRegistry())
    data = bytearray(b"x")
    [result] = kit.put_new([task(data=kind(data))])
    data[0] = 0
    stored = kit.backend.get([result.id])[result.id].task.data
    assert type(stored) is bytes
    assert stored == b"x"


@pytest.mark.parametrize("data", ["text", 1, None, [1]])
def test_what_is_not_is_refused(data):
    kit = Kit(MemoryBackend(), TaskRegistry())
    with pytest.raises(InvalidTask, match="data"):
        kit.put_new([task(data=data)])
