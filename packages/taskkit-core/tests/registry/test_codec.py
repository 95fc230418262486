"""Arguments and results cross the store as what they were, or are refused with the reason."""

from __future__ import annotations

import collections
import contextlib
import enum
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    TypedDict,
    Unpack,
)
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkit.errors import InvalidTask
from taskkit.registry import TaskRegistry
from taskkit.task import Task

if TYPE_CHECKING:
    from nowhere import Hidden


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Mixed(enum.Enum):
    WORD = "word"
    NUMBER = 2


class Level(enum.IntEnum):
    LOW = 1


@dataclass
class Point:
    x: int
    y: float = 0.0
    tags: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Path2:
    points: tuple[Point, ...]
    named: dict[str, Point]
    until: datetime | None = None


class Person(msgspec.Struct):
    name: str
    born: date
    friends: list[Person] = []


class Address(TypedDict):
    street: str
    since: NotRequired[date]


class Pair(NamedTuple):
    left: int
    right: UUID


class Shout(str):
    __slots__ = ()

    def __str__(self):
        return self  # as Django's SafeString does


class Sender:
    pass


UserId = NewType("UserId", int)
Positive = Annotated[int, msgspec.Meta(gt=0)]


def task_of(function, data):
    return Task("default_" + "0" * 32, "default", function.name, data, due=0, created=0)


def sent(function, *args, **kwargs):
    """What the function returns when a worker calls it with these arguments."""
    data = function.codec.encode(args, kwargs)
    json.loads(data, parse_constant=pytest.fail)  # plain JSON for everybody
    return function.registry.handle(task_of(function, data))


def identity(annotation):
    """A task that returns its one argument, annotated so."""

    def echo(value):
        return value

    echo.__annotations__ = {"value": annotation, "return": annotation}
    return TaskRegistry().task(echo)


def back(function, value):
    """A value that was stored as a result and read again."""
    stored = function.registry.encode_result(task_of(function, b""), value)
    json.loads(stored, parse_constant=pytest.fail)
    return function.registry.decode_result(task_of(function, b""), stored)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
zones = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
moments = st.datetimes(timezones=st.none() | zones)
finite = st.floats(allow_nan=False, allow_infinity=False)
points = st.builds(Point, st.integers(), finite, st.sets(texts, max_size=3))
people = st.builds(Person, texts, st.dates(), st.just([]))

ROUND_TRIPS = {
    "int": (int, st.integers(-(10**60), 10**60)),
    "float": (float, finite),
    "bool": (bool, st.booleans()),
    "str": (str, texts),
    "bytes": (bytes, st.binary(max_size=50)),
    "none": (None, st.none()),
    "datetime": (datetime, moments),
    "date": (date, st.dates()),
    "time": (time, st.times()),
    "timedelta": (timedelta, st.timedeltas()),
    "uuid": (UUID, st.uuids()),
    "decimal": (Decimal, st.decimals(allow_nan=False)),
    "enum": (Colour, st.sampled_from(Colour)),
    "int enum": (Level, st.sampled_from(Level)),
    "literal": (Literal["a", 1] | None, st.sampled_from(["a", 1, None])),
    "optional": (datetime | None, st.none() | moments),
    "union": (int | list[str], st.integers() | st.lists(texts, max_size=3)),
    "list": (list[date], st.lists(st.dates(), max_size=4)),
    "set": (set[int], st.sets(st.integers(), max_size=4)),
    "frozenset": (frozenset[UUID], st.frozensets(st.uuids(), max_size=3)),
    "tuple": (tuple[int, str], st.tuples(st.integers(), texts)),
    "long tuple": (tuple[int, ...], st.lists(st.integers(), max_size=4).map(tuple)),
    "dict": (dict[str, float], st.dictionaries(texts, finite, max_size=3)),
    "dict of int": (dict[int, date], st.dictionaries(st.integers(), st.dates(), max_size=3)),
    "dict of uuid": (dict[UUID, int], st.dictionaries(st.uuids(), st.integers(), max_size=3)),
    "dataclass": (Point, points),
    "nested dataclass": (
        Path2,
        st.builds(
            Path2,
            st.lists(points, max_size=2).map(tuple),
            st.dictionaries(texts, points, max_size=2),
            st.none() | moments,
        ),
    ),
    "struct": (Person, people),
    "typed dict": (
        Address,
        st.fixed_dictionaries({"street": texts}, optional={"since": st.dates()}),
    ),
    "named tuple": (Pair, st.builds(Pair, st.integers(), st.uuids())),
    "generics in generics": (
        dict[str, list[tuple[Point, set[date]]]],
        st.dictionaries(
            texts,
            st.lists(st.tuples(points, st.sets(st.dates(), max_size=2)), max_size=2),
            max_size=2,
        ),
    ),
    "new type": (UserId, st.integers()),
    "annotated": (Positive, st.integers(min_value=1)),
    "path": (Path, texts.filter(lambda t: "\0" not in t).map(Path)),
    "sequence": (Sequence[int], st.lists(st.integers(), max_size=3)),
    "mapping": (Mapping[str, int], st.dictionaries(texts, st.integers(), max_size=3)),
}


@pytest.mark.parametrize("kind", ROUND_TRIPS)
def test_annotated_values_arrive_as_they_were(kind):
    annotation, values = ROUND_TRIPS[kind]
    function = identity(annotation)

    @given(values)
    def arrives(value):
        for arrived in (sent(function, value), back(function, value)):
            assert arrived == value
            assert type(arrived) is type(value)

    arrives()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | finite | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=8,
    )
)
def test_without_annotation_plain_json_arrives_as_it_was(value):
    assert sent(identity(Any), value) == value
    assert back(identity(Any), value) == value


def test_without_annotation_tuples_become_lists_and_keys_text():
    assert sent(identity(Any), (1, ("a", 2))) == [1, ["a", 2]]
    assert sent(identity(dict[str, Any]), {"a": (1,)}) == {"a": [1]}
    assert sent(identity(Any), {1: 2}) == {"1": 2}


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 1, 1, tzinfo=UTC),
        b"bytes",
        {1, 2},
        Point(1),
        Colour.RED,
        Decimal(1),
        [date(2026, 1, 1)],
    ],
)
@pytest.mark.parametrize("annotation", [Any, object, Any | None])
def test_without_annotation_other_types_are_refused_because_they_would_change(value, annotation):
    with pytest.raises(InvalidTask, match=r"argument 'value': .*annotate the parameter"):
        sent(identity(annotation), value)


def test_a_loose_dict_with_a_date_inside_is_refused():
    with pytest.raises(InvalidTask, match=r"argument 'value': .*date"):
        sent(identity(dict[str, Any]), {"when": date(2026, 1, 1)})


@pytest.mark.parametrize(
    ("annotation", "value", "expected", "found"),
    [
        (int, "3", "`int`", "`str`"),
        (int, 3.0, "`int`", "`float`"),
        (int, True, "`int`", "`bool`"),
        (bool, 1, "`bool`", "`int`"),
        (str, 3, "`str`", "`int`"),
        (str, None, "`str`", "`null`"),
        (str, b"abcd", "`str`", "`bytes`"),
        (bytes, "abcd", "`bytes`", "`str`"),
        (datetime, "2026-01-01T00:00:00", "`datetime`", "`str`"),
        (datetime, date(2026, 1, 1), "`datetime`", "`date`"),
        (date, datetime(2026, 1, 1, tzinfo=UTC), "`date`", "`datetime`"),
        (UUID, "0" * 32, "`uuid`", "`str`"),
        (Decimal, 1.5, "`decimal`", "`float`"),
        (list[int], 5, "`array`", "`int`"),
        (Point, 5, "`object`", "`int`"),
        (Sender, 5, "`Sender`", "`int`"),
    ],
)
def test_arguments_of_another_type_are_refused(annotation, value, expected, found):
    with pytest.raises(InvalidTask) as caught:
        sent(identity(annotation), value)
    assert f"argument 'value': expected {expected}, found {found}" in str(caught.value)


def test_what_is_wrong_deep_inside_is_named_with_its_place():
    with pytest.raises(InvalidTask, match=r"argument 'value': .*`str` \(at value\[0\]\.x\)"):
        sent(identity(list[Point]), [Point("one")])
    with pytest.raises(InvalidTask, match=r"argument 'value': .*required field `x` \(at value"):
        sent(identity(list[Point]), [{"y": 1.0}])
    with pytest.raises(InvalidTask, match=r"argument 'value'.*> 0|>= 1"):
        sent(identity(Positive), 0)


def test_whole_numbers_are_floats_too():
    arrived = sent(identity(float), 3)
    assert arrived == 3.0
    assert type(arrived) is float


def test_a_dict_will_do_for_a_dataclass():
    assert sent(identity(Point), {"x": 1, "tags": ["a"]}) == Point(1, tags={"a"})


def test_subclasses_of_text_and_numbers_are_sent_as_what_they_are_a_kind_of():
    assert sent(identity(str), Shout("a")) == "a"
    assert sent(identity(Any), {"deep": [Shout("a")]}) == {"deep": ["a"]}
    assert sent(identity(int), Level.LOW) == 1
    assert sent(identity(Any), collections.OrderedDict(a=1)) == {"a": 1}


NAN = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("bad", NAN)
@pytest.mark.parametrize(
    ("annotation", "wrap"),
    [
        (float, lambda bad: bad),
        (float | None, lambda bad: bad),
        (Any, lambda bad: bad),
        (Any, lambda bad: {"a": [bad]}),
        (list[float | None], lambda bad: [None, 1.0, bad]),
        (Point, lambda bad: Point(1, bad)),
        (dict[str, Point | None], lambda bad: {"a": None, "b": Point(1, bad)}),
    ],
)
def test_numbers_that_json_does_not_have_are_refused(annotation, wrap, bad):
    with pytest.raises(InvalidTask, match=r"argument 'value'"):
        sent(identity(annotation), wrap(bad))
    with pytest.raises(InvalidTask, match="NaN"):
        back(identity(annotation), wrap(bad))


def test_the_word_null_is_no_nan():
    assert sent(identity(list[str | None]), ["null", None]) == ["null", None]
    assert back(identity(list[str | None]), ["null", None]) == ["null", None]


def test_an_object_of_a_type_that_nobody_can_write_is_refused_with_its_name():
    with pytest.raises(InvalidTask, match=r"argument 'value': .*Sender cannot be written as JSON"):
        sent(identity(Sender), Sender())


@pytest.mark.parametrize("value", ["\ud800", 10**5000], ids=["lone surrogate", "long number"])
def test_what_cannot_be_written_is_refused(value):
    with pytest.raises(InvalidTask, match="argument 'value'"):
        sent(identity(type(value)), value)
    with pytest.raises(InvalidTask, match=rf"result of type builtins.{type(value).__name__}"):
        back(identity(type(value)), value)


def test_endless_data_is_refused():
    endless = []
    endless.append(endless)
    for annotation in (Any, list[Any]):
        with pytest.raises(InvalidTask):
            sent(identity(annotation), endless)
    with pytest.raises(InvalidTask):
        back(identity(Any), endless)


# ---- signatures

tasks = TaskRegistry()


@tasks.task
def mixed(a: int, /, b: str = "b", *rest: date, c: Point, d: int = 4, **more: float) -> Any:
    return a, b, rest, c, d, more


@tasks.task
def nothing() -> None:
    return None


@tasks.task
def named(self: int, cls: int = 1, p0: int = 2, __struct_fields__: int = 3) -> Any:
    return self, cls, p0, __struct_fields__


DEFAULT = Sender()


@tasks.task
def with_default(x: int, sender: Sender = DEFAULT, items: list[int] = [7]) -> Any:  # noqa: B006 - what is tested
    return x, sender, items


@tasks.task
def keyword_only(*, a: int, b: int = 2) -> Any:
    return a, b


class More(TypedDict, total=False):
    size: int


@tasks.task
def with_unpack(**more: Unpack[More]) -> Any:
    return more


@tasks.task
def forward(value: Later) -> Later:
    return value


@dataclass
class Later:
    when: date


@tasks.task
def hidden(value: Hidden) -> None: ...


def test_every_kind_of_parameter_arrives():
    day = date(2026, 1, 1)
    assert sent(mixed, 1, c=Point(1)) == (1, "b", (), Point(1), 4, {})
    arrived = sent(mixed, 1, "x", day, day, c=Point(1), d=5, e=1, a=2.5)
    assert arrived == (1, "x", (day, day), Point(1), 5, {"e": 1.0, "a": 2.5})
    assert sent(named, 5) == (5, 1, 2, 3)
    assert sent(named, p0=1, self=2, __struct_fields__=9) == (2, 1, 1, 9)
    assert sent(keyword_only, a=1) == (1, 2)
    assert sent(with_unpack, size=1) == {"size": 1}
    assert sent(nothing) is None
    assert sent(forward, Later(day)) == Later(day)


def test_arguments_stand_in_the_json_under_their_names():
    data = mixed.codec.encode((1, "x", date(2026, 1, 1)), {"c": Point(1), "e": 2})
    assert json.loads(data) == {
        "a": 1,
        "b": "x",
        "*": ["2026-01-01"],
        "c": {"x": 1, "y": 0.0, "tags": []},
        "**": {"e": 2.0},
    }


def test_defaults_are_not_sent_and_are_those_of_the_worker():
    assert json.loads(with_default.codec.encode((1,), {})) == {"x": 1}
    x, sender, items = sent(with_default, 1)
    assert (x, items) == (1, [7])
    assert sender is DEFAULT


def test_dicts_keep_their_order():
    assert list(sent(identity(dict[str, int]), {"b": 1, "a": 2})) == ["b", "a"]


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "message"),
    [
        (nothing, (1,), {}, "too many positional"),
        (mixed, (), {"c": Point(1)}, "'a'"),
        (mixed, (1,), {}, "'c'"),
        (keyword_only, (1,), {}, "positional"),
        (keyword_only, (), {}, "'a'"),
        (keyword_only, (), {"a": 1, "z": 1}, "'z'"),
        (named, (1,), {"self": 1}, "'self'"),
        (named, (), {"cls": 1}, "'self'"),
        (named, (), {"self": 1, "nobody": 1}, "'nobody'"),
        (mixed, (1, "b", 5), {"c": Point(1)}, "argument 'rest': expected `date`"),
        (mixed, (1,), {"c": Point(1), "z": "z"}, "argument 'more': expected `float`"),
    ],
)
def test_arguments_that_do_not_fit_the_signature_are_refused(function, args, kwargs, message):
    with pytest.raises(InvalidTask) as caught:
        function.codec.encode(args, kwargs)
    assert message in str(caught.value)
    assert function.name in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "truncated"),
        (b"nonsense", "malformed"),
        (b"\xff\x00", "malformed"),
        (b"[1]", "expected `object`"),
        (b"{}", "missing argument 'a'"),
        (b'{"a": 1, "z": 2}', "unexpected argument 'z'"),
        (b'{"a": "1"}', "argument 'a': expected `int`, found `str`"),
        (b'{"a": "\xff"}', "cannot be understood|argument 'a'"),
        pytest.param(b"[" * 100_000, ".", id="deep"),
    ],
)
@pytest.mark.parametrize("function", [keyword_only])
def test_undecodable_data_is_refused_when_a_worker_meets_it(function, data, message):
    with pytest.raises(InvalidTask, match=message):
        tasks.handle(task_of(function, data))


@given(st.binary(max_size=30))
def test_no_data_whatever_raises_anything_else(data):
    for function in (mixed, nothing, with_default):
        with contextlib.suppress(InvalidTask):
            tasks.handle(task_of(function, data))


def test_what_the_function_raises_is_not_taken_for_bad_data():
    @TaskRegistry().task
    def raises(x: int) -> None:
        raise ValueError(x)

    with pytest.raises(ValueError, match="^5$") as caught:
        sent(raises, 5)
    assert not isinstance(caught.value, InvalidTask)


def test_annotations_that_cannot_be_evaluated_name_the_function():
    with pytest.raises(InvalidTask, match=r"hidden'.*'Hidden' is not defined.*TYPE_CHECKING"):
        sent(hidden, 1)


def test_annotations_that_json_has_no_word_for_name_the_parameter():
    for annotation in (str | datetime, Mixed, list[Mixed]):
        with pytest.raises(InvalidTask, match=r"argument 'value': its annotation cannot be used"):
            sent(identity(annotation), "a")


# ---- results


def test_results_without_annotation_come_back_as_plain_json():
    function = identity(Any)
    assert back(function, (1, {2})) == [1, [2]]
    assert back(function, Point(1)) == {"x": 1, "y": 0.0, "tags": []}


def test_a_result_that_cannot_be_stored_names_task_and_type():
    with pytest.raises(InvalidTask, match=r"echo'.*result of type .*Sender cannot be stored"):
        back(identity(Any), Sender())
    with pytest.raises(InvalidTask, match=r"result of type builtins.list .*Sender"):
        back(identity(Any), [Sender()])


def test_a_result_that_is_not_what_was_annotated_is_refused_where_it_is_read():
    function = identity(int)
    with pytest.raises(InvalidTask, match=r"return annotation: expected `int`, found `str`"):
        back(function, "one")


def test_a_return_annotation_that_json_has_no_word_for_hinders_no_call():
    @TaskRegistry().task
    def lines(x: int) -> Iterable[str] | datetime | str:
        return str(x)

    assert sent(lines, 1) == "1"
