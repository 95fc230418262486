"""Instants, clocks and ids."""

from __future__ import annotations

import math
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkit.clock import (
    ManualClock,
    SystemClock,
    check_sendable,
    micros,
    to_datetime,
    to_instant,
)
from taskkit.convert import moment_to_instant, to_when
from taskkit.errors import InvalidInput, InvalidSetting
from taskkit.ids import group_of, new_id, new_uuid7, stable_id
from taskkit.task import After

aware = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    timezones=st.timezones(),
)


@given(aware)
def test_a_datetime_survives_the_way_to_an_instant_and_back(moment):
    # By UTC: in an hour that clocks repeat, Python finds no two zones equal (PEP 495).
    assert to_datetime(to_instant(moment)) == moment.astimezone(UTC)


def test_a_naive_datetime_is_refused_below_the_kit_and_local_above():
    naive = datetime(2026, 5, 4, 3, 2, 1)  # noqa: DTZ001 - that is the point
    with pytest.raises(InvalidInput, match="time zone"):
        to_instant(naive)
    assert moment_to_instant(naive) == to_instant(naive.astimezone())


def test_a_moment_is_a_datetime_a_timedelta_or_seconds():
    moment = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=9)))
    assert to_when("due", moment) == to_instant(moment)
    assert to_when("due", timedelta(seconds=2)) == After(2_000_000)
    assert to_when("due", 0.5) == After(500_000)


def str_or_kind(value):
    return str(value) if isinstance(value, float | str) else type(value).__name__


@pytest.mark.parametrize(
    "wrong",
    [math.nan, math.inf, -math.inf, 1e303, 10**400, 10**5000, "soon", True, None],
    ids=str_or_kind,
)
def test_no_other_moment_is_accepted(wrong):
    with pytest.raises(InvalidInput):
        to_when("due", wrong)


@given(st.timedeltas(min_value=timedelta(days=-36500), max_value=timedelta(days=36500)))
def test_a_timedelta_is_exact_to_the_microsecond(duration):
    assert timedelta(microseconds=micros(duration)) == duration


def test_a_manual_clock_moves_only_when_told_and_tells_who_listens():
    clock, moved = ManualClock(datetime(2026, 1, 1, tzinfo=UTC)), []
    clock.listen(lambda: moved.append(clock.now()))
    start = clock.now()
    assert clock.now() == start
    assert clock.advance(1.5) == start + 1_500_000
    assert clock.advance(timedelta(seconds=-2)) == start - 500_000
    assert moved == [start + 1_500_000, start - 500_000]


def test_ids_tell_their_group_and_grow():
    ids = [new_id("a_b.c d") for _ in range(5_000)]
    assert ids == sorted(set(ids))
    assert {group_of(task_id) for task_id in ids} == {"a_b.c d"}


def test_an_id_is_a_uuid7_of_now():
    value = new_uuid7()
    assert (value >> 76) & 0xF == 7
    assert (value >> 62) & 0b11 == 0b10
    assert abs((value >> 80) - SystemClock().now() // 1000) < 5_000


def test_ids_of_many_threads_are_all_different():
    made: list[int] = []

    def make():
        made.extend(new_uuid7() for _ in range(2_000))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 16_000


def test_a_stable_id_depends_on_every_part_and_on_where_they_part():
    assert stable_id("g", "a", "bc") == stable_id("g", "a", "bc")
    assert len({stable_id("g", "a", "bc"), stable_id("g", "ab", "c"), stable_id("g", "abc")}) == 3
    assert group_of(stable_id("g", "a")) == "g"


def test_only_a_clock_that_another_process_has_too_is_sent_there():
    for clock in (None, SystemClock()):
        check_sendable(clock)
    with pytest.raises(InvalidSetting, match="found a ManualClock"):
        check_sendable(ManualClock())
