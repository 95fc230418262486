"""Frozen dataclasses that are made the fast way are the same."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError, asdict, dataclass, fields, replace

import pytest

from taskkit.records import Claim, Outcome, Settlement
from taskkit.task import NewTask, Task
from taskkit.thaw import maker

CLASSES = [
    (Task, ("g_1", "g", "n", b"", 1, 2), {"labels": {"a": 1}}),
    (NewTask, ("g_1", "g", "n", b""), {"priority": 3}),
    (Settlement, ("g_1", 7, Outcome.SUCCEED), {"result": b"1"}),
    (Claim, (None, 1, 2, 0, 5), {}),
]


@pytest.mark.parametrize(("cls", "values", "named"), CLASSES)
def test_they_equal_those_that_are_made_by_their_class(cls, values, named):
    made, usual = maker(cls)(*values, **named), cls(*values, **named)
    assert type(made) is cls
    assert made == usual
    assert repr(made) == repr(usual)
    assert asdict(made) == asdict(usual)
    assert replace(made) == copy.copy(made) == pickle.loads(pickle.dumps(made)) == usual


@pytest.mark.parametrize(("cls", "values", "named"), CLASSES)
def test_they_are_frozen(cls, values, named):
    made = maker(cls)(*values, **named)
    name = fields(cls)[0].name
    with pytest.raises(FrozenInstanceError):
        setattr(made, name, "other")
    with pytest.raises(FrozenInstanceError):
        delattr(made, name)


def test_defaults_are_not_shared():
    make = maker(NewTask)
    one, other = make("g_1", "g", "n", b""), make("g_2", "g", "n", b"")
    assert one.labels == {}
    assert one.labels is not other.labels


def test_what_is_missing_is_named():
    with pytest.raises(TypeError, match="data"):
        maker(NewTask)("g_1", "g", "n")


def test_a_class_that_checks_itself_is_refused():
    @dataclass(frozen=True, slots=True)
    class Checked:
        number: int

        def __post_init__(self):
            assert self.number > 0

    with pytest.raises(AssertionError, match="Checked.__post_init__ would not be called"):
        maker(Checked)
