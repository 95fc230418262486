"""A handler's ``encode_data`` can be called on the class too, as the first taskkit's users do."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from taskkit import Task, TaskHandler


class Handler(TaskHandler):
    def handle(self, task: Task) -> Any:
        return json.loads(task.data)

    def get_retry_interval(self, task: Task, exception: Exception) -> float | None:
        return None

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:
        """Encodes."""
        return json.dumps([group, task_name, data]).encode()

    def encode_result(self, task: Task, result: Any) -> bytes:
        return b""

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        return None


class Marked(Handler):
    def __init__(self, mark="none"):
        self.mark = mark

    def encode_data(self, group, task_name, data):
        return self.mark.encode() + super().encode_data(group, task_name, data)


class Inheriting(Marked):
    pass


class Explicit(Handler):
    def encode_data(self, group, task_name, data):
        return b"+" + Handler.encode_data(self, group, task_name, data=data)


class Static(Handler):
    @staticmethod
    def encode_data(group, task_name, data):
        return b"static"


ENCODED = b'["g", "n", 1]'


@pytest.mark.parametrize(
    ("handler", "encoded"),
    [
        (Handler, ENCODED),
        (Handler(), ENCODED),
        (Marked, b"none" + ENCODED),
        (Marked("mark"), b"mark" + ENCODED),
        (Inheriting, b"none" + ENCODED),
        (Inheriting("mark"), b"mark" + ENCODED),
        (Explicit, b"+" + ENCODED),
        (Explicit(), b"+" + ENCODED),
        (Static, b"static"),
        (Static(), b"static"),
    ],
)
def test_class_and_instance_encode_alike(handler, encoded):
    assert handler.encode_data("g", "n", 1) == encoded
    assert handler.encode_data("g", "n", data=1) == encoded
    assert handler.encode_data(group="g", task_name="n", data=1) == encoded


def test_it_remains_the_method_that_was_written():
    assert Handler.encode_data.__doc__ == "Encodes."
    assert Handler().encode_data.__name__ == "encode_data"


def test_a_class_that_cannot_be_made_without_arguments_says_so():
    class Demanding(Handler):
        def __init__(self, needed):
            self.needed = needed

        def encode_data(self, group, task_name, data):
            return b""

    with pytest.raises(TypeError, match="needed"):
        Demanding.encode_data("g", "n", 1)
    assert Demanding(1).encode_data("g", "n", 1) == b""
    assert Demanding.encode_data(Demanding(1), "g", "n", 1) == b""


def test_other_bases_with_keywords_still_work():
    class Named:
        def __init_subclass__(cls, **options):
            super().__init_subclass__()
            cls.options = options

    class Before(Named, Handler):
        pass

    class After(Handler, Named, colour="red"):
        pass

    assert (Before.options, After.options) == ({}, {"colour": "red"})
    assert Before.encode_data("g", "n", 1) == After.encode_data("g", "n", 1) == ENCODED


def test_handlers_can_be_pickled():
    copy = pickle.loads(pickle.dumps(Marked("mark")))
    assert copy.encode_data("g", "n", 1) == b"mark" + ENCODED
