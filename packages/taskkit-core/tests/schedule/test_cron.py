"""CronSchedule: what cron means by its fields, and errors that say which field is wrong."""

# ruff: noqa: DTZ001 - naive: readings of a wall clock, and moments that must be refused

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from taskkit import CronSchedule, InvalidSchedule

START = datetime(2026, 1, 1, tzinfo=UTC)  # a Thursday


@pytest.mark.parametrize(
    ("expression", "tick"),
    [
        ("*/5 * * * *", datetime(2026, 1, 1, 0, 5)),
        ("30 2 * * *", datetime(2026, 1, 1, 2, 30)),
        ("0 9-17 * * MON-FRI", datetime(2026, 1, 1, 9)),
        ("0 0 * * 0", datetime(2026, 1, 4)),
        ("0 0 * * 7", datetime(2026, 1, 4)),
        ("0 0 L * *", datetime(2026, 1, 31)),
        ("0 0 LW * *", datetime(2026, 1, 30)),
        ("0 0 * * 5L", datetime(2026, 1, 30)),
        ("0 0 * * FRI#2", datetime(2026, 1, 9)),
        ("0 0 29 2 *", datetime(2028, 2, 29)),
        ("0 0 1 jan,jul *", datetime(2026, 7, 1)),
        ("*/10 * * * * *", datetime(2026, 1, 1, 0, 0, 10)),
        ("15 30 2 * * *", datetime(2026, 1, 1, 2, 30, 15)),
        ("  0   12 * * *  ", datetime(2026, 1, 1, 12)),
    ],
)
def test_fields_mean_what_cron_means(expression, tick):
    assert CronSchedule(expression).next_after(START) == tick.replace(tzinfo=UTC)


def test_day_of_month_or_day_of_week_suffices_where_both_are_given():
    schedule = CronSchedule("0 0 13 * FRI")
    moment, found = START, []
    for _ in range(3):
        moment = schedule.next_after(moment)
        found.append(moment.day)
    assert found == [2, 9, 13]


@pytest.mark.parametrize(
    ("nickname", "tick"),
    [
        ("@hourly", datetime(2026, 1, 1, 1)),
        ("@daily", datetime(2026, 1, 2)),
        ("@midnight", datetime(2026, 1, 2)),
        ("@weekly", datetime(2026, 1, 4)),
        ("@monthly", datetime(2026, 2, 1)),
        ("@yearly", datetime(2027, 1, 1)),
        ("@annually", datetime(2027, 1, 1)),
        ("@Daily", datetime(2026, 1, 2)),
    ],
)
def test_nicknames(nickname, tick):
    assert CronSchedule(nickname).next_after(START) == tick.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("61 * * * *", r"minute: expected 0-59.*such as '\*/5', found '61'"),
        ("* 24 * * *", "hour: expected 0-23.*found '24'"),
        ("* * 0 * *", "day of month: expected 1-31.*found '0'"),
        ("* * * 13 *", "month: expected 1-12.*found '13'"),
        ("* * * * 8", "day of week: expected 0-7.*found '8'"),
        ("60 * * * * *", "second: expected 0-59.*found '60'"),
        ("5-1 * * * *", "minute: expected.*found '5-1'"),
        ("*/0 * * * *", "minute: expected.*found '\\*/0'"),
        ("٣ * * * *", "minute: expected"),
        ("* * *", "expected five fields.*found 3"),
        ("* * * * * * *", "expected five fields.*found 7"),
        ("", "expected five fields.*found 0"),
        ("0 0 31 2 *", "never fire"),
        ("0 0 30 2 *", "never fire"),
        ("0 0 31 4,6,9,11 *", "never fire"),
        ("@fortnightly", "@yearly.*found '@fortnightly'"),
        ("@reboot", "no reboot to follow"),
        (5, "expected text.*found 5"),
        (None, "expected text.*found None"),
    ],
)
def test_errors_name_the_field_and_the_value_and_show_an_example(expression, says):
    with pytest.raises(InvalidSchedule, match=says):
        CronSchedule(expression)


def test_start_and_end_are_both_included():
    schedule = CronSchedule(
        "0 * * * *", start=START + timedelta(hours=3), end=START + timedelta(hours=4)
    )
    assert schedule.next_after(START) == START + timedelta(hours=3)
    assert schedule.next_after(START + timedelta(hours=3)) == START + timedelta(hours=4)
    assert schedule.next_after(START + timedelta(hours=4)) is None


def test_its_zone_is_its_own_or_that_of_the_moment():
    berlin = ZoneInfo("Europe/Berlin")
    noon = datetime(2026, 1, 1, 11, tzinfo=UTC)
    assert CronSchedule("0 12 * * *", "Europe/Berlin").next_after(START) == noon
    assert CronSchedule("0 12 * * *", tz=berlin).next_after(START) == noon
    assert CronSchedule("0 12 * * *").next_after(START.astimezone(berlin)) == noon
    assert CronSchedule("0 12 * * *").next_after(START) == noon + timedelta(hours=1)


@pytest.mark.parametrize("edge", ["start", "end"])
def test_naive_edges_and_moments_are_refused(edge):
    with pytest.raises(InvalidSchedule, match=f"{edge}: expected a datetime with a time zone"):
        CronSchedule("* * * * *", **{edge: datetime(2026, 1, 1)})
    with pytest.raises(InvalidSchedule, match="moment: expected"):
        CronSchedule("* * * * *").next_after(datetime(2026, 1, 1))


def test_after_the_year_9999_there_is_nothing():
    last = datetime(9999, 12, 31, 23, 59, 30, tzinfo=UTC)
    assert CronSchedule("* * * * *").next_after(last) is None


def test_cronsim_is_imported_only_when_there_is_an_expression():
    code = "import sys, taskkit.schedule.scheduler; print('cronsim' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
