"""Retry rules: how long, how often, spread how, and for which exceptions."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkit.errors import AttemptTimedOut, InvalidInput, InvalidTask, RetryTask, UnknownTask
from taskkit.registry import Backoff, TaskRegistry, exponential, fixed, linear
from taskkit.task import Task


def delays(rule, count):
    return [rule(n) for n in range(count)]


def test_fixed_waits_the_same_each_time():
    assert delays(fixed(3, max_retries=3), 5) == [3, 3, 3, None, None]


def test_linear_waits_longer_by_the_increment():
    assert delays(linear(1, 2, 4), 5) == [1, 3, 5, 7, None]
    assert delays(linear(1, 2, 4, max_delay=4), 4) == [1, 3, 4, 4]


def test_exponential_waits_longer_by_the_factor():
    assert delays(exponential(1, factor=2, max_retries=5), 6) == [1, 2, 4, 8, 16, None]
    assert delays(exponential(0.5, 3, 4, max_delay=10), 5) == [0.5, 1.5, 4.5, 10, None]


def test_none_is_no_end_and_growth_ends_at_the_cap():
    rule = exponential(1, max_retries=None, max_delay=60)
    assert rule(10_000_000) == 60
    assert exponential(0, max_retries=None)(10_000_000) == 0
    assert fixed(200_000, None)(10**9) == 200_000


@given(
    first=st.floats(0, 1e6),
    factor=st.floats(1, 100),
    cap=st.floats(0, 1e6),
    count=st.integers(0, 10_000),
    drawn=st.floats(0, 1, exclude_max=True),
)
def test_jitter_spreads_a_delay_and_never_exceeds_it(first, factor, cap, count, drawn):
    def rule(jitter):
        made = Backoff(
            first,
            factor=factor,
            max_retries=None,
            max_delay=cap,
            jitter=jitter,
            random=lambda: drawn,
        )
        return made(count)

    whole = rule(None)
    assert 0 <= whole <= cap
    assert rule("full") == whole * drawn
    assert whole / 2 <= rule("equal") <= whole


def test_jitter_is_drawn_anew_each_time():
    rule = exponential(100, jitter="full")
    assert len({rule(0) for _ in range(20)}) > 1


def test_rules_are_values():
    assert exponential(1) == exponential(1, factor=2, max_retries=5)
    assert hash(fixed(1)) == hash(fixed(1))
    assert fixed(1) != fixed(2)
    with pytest.raises(FrozenInstanceError):
        fixed(1).first = 2


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, "1", True])
@pytest.mark.parametrize(
    "make",
    [
        fixed,
        exponential,
        lambda bad: linear(bad, 1),
        lambda bad: linear(1, bad),
        lambda bad: exponential(1, factor=bad),
        lambda bad: exponential(1, max_delay=bad),
        lambda bad: fixed(1, max_retries=bad),
    ],
)
def test_impossible_rules_are_refused(make, bad):
    with pytest.raises(InvalidTask):
        make(bad)


@pytest.mark.parametrize("factor", [0, 0.5])
def test_a_factor_that_shrinks_is_refused(factor):
    with pytest.raises(InvalidTask, match="from 1"):
        exponential(1, factor=factor)


def test_unknown_jitter_is_refused():
    with pytest.raises(InvalidTask, match="'full', 'equal' or None"):
        exponential(1, jitter="some")


# ---- the rule of a task


def asked(error, retry_count=0, **options):
    tasks = TaskRegistry()

    @tasks.task(name="t", **options)
    def function() -> None: ...

    task = Task("g_" + "0" * 32, "g", "t", b"{}", due=0, created=0, retry_count=retry_count)
    return tasks.get_retry_interval(task, error)


def test_without_a_rule_nothing_is_retried():
    assert asked(ValueError()) is None
    assert asked(RetryTask()) is None


def test_the_rule_is_asked_with_the_retry_count():
    assert asked(ValueError(), 2, retry=exponential(1)) == 4
    assert asked(ValueError(), 5, retry=exponential(1)) is None
    assert asked(ValueError(), 3, retry=lambda count: count * 10) == 30


def test_a_rule_of_two_arguments_gets_the_exception():
    assert asked(ValueError("7"), retry=lambda count, error: float(str(error))) == 7.0


def test_an_optional_second_argument_is_left_alone():
    assert asked(ValueError(), retry=lambda count, base=4: base) == 4


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (ConnectionError(), True),
        (ConnectionRefusedError(), False),  # a ConnectionError that is never to be retried
        (ConnectionResetError(), True),
        (AttemptTimedOut(), True),
        (ValueError(), False),
        (RetryTask(), True),  # raised to be retried: only the delay is asked for
    ],
)
def test_retry_on_and_never_retry_on_select_by_class(error, again):
    answer = asked(
        error,
        retry=fixed(1),
        retry_on=(ConnectionError, AttemptTimedOut),
        never_retry_on=ConnectionRefusedError,
    )
    assert (answer == 1) is again


def test_a_rule_that_answers_nonsense_is_an_error_not_a_delay():
    for answer in (-1, math.nan, "soon", True):
        with pytest.raises(InvalidTask, match="retry rule"):
            asked(ValueError(), retry=lambda count, answer=answer: answer)


def test_a_task_that_nobody_knows_is_not_retried():
    task = Task("g_" + "0" * 32, "g", "gone", b"{}", due=0, created=0)
    assert TaskRegistry().get_retry_interval(task, UnknownTask()) is None


@pytest.mark.parametrize(
    "options",
    [
        {"retry": 5},
        {"retry": lambda: 1},
        {"retry": lambda a, b, c: 1},
        {"retry_on": (ValueError,)},
        {"never_retry_on": (ValueError,)},
        {"retry": fixed(1), "retry_on": "ValueError"},
        {"retry": fixed(1), "retry_on": (KeyboardInterrupt,)},
        {"retry": fixed(1), "never_retry_on": [ValueError]},
    ],
)
def test_rules_that_cannot_be_asked_are_refused_when_declared(options):
    with pytest.raises(InvalidInput):
        asked(ValueError(), **options)
