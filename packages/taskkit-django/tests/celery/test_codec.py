"""Arguments come back as they were, and nothing else ever comes out."""

import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db.models import TextChoices
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st

from taskkit import InvalidData, InvalidTask
from taskkit_django.celery.codec import dumps, loads

BERLIN = ZoneInfo("Europe/Berlin")


def there_and_back(value):
    return loads(json.loads(json.dumps(dumps(value), allow_nan=False)))


def same(one, other):
    """Equal, and of equal types all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            any(same(k, key) and same(v, w) for key, w in other.items()) for k, v in one.items()
        )
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, set | frozenset):
        return len(one) == len(other) and all(any(same(a, b) for b in other) for a in one)
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, datetime):
        return (
            one == other
            and one.isoformat() == other.isoformat()
            and str(one.tzinfo) == str(other.tzinfo)
        )
    if isinstance(one, Decimal):
        return one.as_tuple() == other.as_tuple()
    return one == other


ZONES = st.sampled_from(
    [None, UTC, BERLIN, ZoneInfo("America/New_York"), timezone(timedelta(hours=5, minutes=30))]
)
HASHABLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - the bounds are naive
        max_value=datetime(9000, 1, 1),  # noqa: DTZ001 - naive on purpose
        timezones=ZONES,
        allow_imaginary=False,
    ),
).filter(lambda value: value == value)
VALUES = st.recursive(
    HASHABLE,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=4), inner, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=4),
        st.dictionaries(st.sampled_from(["$", "v", "zone"]), inner),
        st.frozensets(HASHABLE, max_size=4),
        st.sets(HASHABLE, max_size=4),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_everything_comes_back_as_it_was(value):
    assert same(there_and_back(value), value)


@pytest.mark.parametrize(
    "value",
    [
        datetime(2026, 3, 4, 5, 6, 7, 890, tzinfo=BERLIN),
        datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0),
        datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
        datetime(2026, 3, 4, 5, 6, 7),  # noqa: DTZ001 - naive ones are kept too
        date(2026, 3, 4),
        time(5, 6, tzinfo=UTC),
        timedelta(days=-1, microseconds=1),
        Decimal("1.10"),
        Decimal("NaN"),
        UUID(int=5),
        (1, (2, [3])),
        {1, 2},
        frozenset({"a"}),
        b"\x00\xff",
        bytearray(b"x"),
        2**80,
        -(2**63) - 1,
        float("inf"),
        {"$": "datetime", "v": "no"},
        {1: "one", (2,): "two"},
        {"deep": [{"deeper": ({Decimal(1)},)}]},
    ],
)
def test_what_programs_pass(value):
    assert same(there_and_back(value), value)


class Colour(TextChoices):
    RED = "red", "Red"


class Plain(Enum):
    ONE = 1


def test_kinds_of_text_and_numbers_are_sent_as_what_they_are():
    assert there_and_back(Colour.RED) == "red"
    assert type(there_and_back(mark_safe("<b>"))) is str
    assert there_and_back(gettext_lazy("Monday")) == "Monday"
    assert there_and_back(True) is True


def test_equal_sets_are_equal_text():
    assert json.dumps(dumps({"b", "a", "c"})) == json.dumps(dumps({"c", "b", "a"}))


class Row:
    _meta = object()
    pk = 3


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (Row(), "primary key"),
        (object(), "pass what it is made of"),
        (Plain.ONE, "Plain"),
        (KeyError, "builtins.type"),
        ([1, {"x": lambda: 1}], "function"),
    ],
)
def test_what_cannot_come_back_is_refused_with_what_to_do(value, hint):
    with pytest.raises(InvalidTask, match=hint):
        dumps(value)


def test_a_list_that_holds_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(InvalidTask, match="contain themselves"):
        dumps(endless)


@pytest.mark.parametrize(
    "plain",
    [
        {"$": "os.system", "v": "true"},
        {"$": ["datetime"], "v": "x"},
        {"$": "datetime", "v": "yesterday"},
        {"$": "datetime"},
        {"$": "datetime", "v": "2026-01-01T00:00:00+00:00", "zone": "../../etc/passwd"},
        {"$": "bytes", "v": "§"},
        {"$": "decimal", "v": "one"},
        {"$": "set", "v": [[1]]},
        {"$": "uuid", "v": 5},
    ],
)
def test_stored_text_of_somebody_elses_is_an_error_and_runs_nothing(plain):
    with pytest.raises(InvalidData):
        loads(plain)
