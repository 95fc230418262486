"""Entries: what people may give, in both forms, and errors that say where."""

from __future__ import annotations

import copy
import json
import logging
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from taskkit import (
    InvalidSchedule,
    OnlyEarliest,
    OnlyLatest,
    RegularSchedule,
    ScheduleEntriesCompatMapping,
    ScheduleEntry,
)
from taskkit.schedule.entry import MAX_ENTRIES, to_entries

HOURLY = RegularSchedule(minutes=0)


def encode(group, name, data):
    return json.dumps(data).encode()


def entry(**changes):
    return ScheduleEntry(
        **{"key": "k", "schedule": HOURLY, "group": "g", "name": "n", "data": b"1"} | changes
    )


def entry_dict(**changes):
    return {"key": "k", "schedule": HOURLY, "group": "g", "name": "n", "data": 1} | changes


def test_both_forms_mean_the_same_but_for_the_encoding_of_data():
    given = {"s": [entry(), entry_dict(key="l", missed="all", priority=3, paused=True)]}
    found = to_entries(given, encode)["s"]
    assert found == (entry(), entry(key="l", missed="all", priority=3, paused=True))


def test_positions_are_those_of_the_first_taskkit():
    assert ScheduleEntry("k", HOURLY, "g", "n", b"1", 60.0) == entry(result_ttl=60.0)


def test_an_entry_is_frozen_and_can_be_copied():
    with pytest.raises(FrozenInstanceError):
        entry().key = "other"
    assert copy.deepcopy(entry()) == entry()


def test_the_program_of_the_readme_has_one_key_twice_and_runs(caplog):
    with caplog.at_level(logging.WARNING, "taskkit.schedule"):
        entries: ScheduleEntriesCompatMapping = {
            "scheduler_name": [
                ScheduleEntry(
                    key="...",
                    group="Any task group name",
                    name="test2",
                    data=encode("Any task group name", "test2", "SOME DATA"),
                    schedule=RegularSchedule(seconds={0}, minutes={0, 30}),
                ),
                {
                    "key": "...",
                    "group": "Any task group name",
                    "name": "test3",
                    "data": 2,
                    "schedule": RegularSchedule(seconds={0}, minutes={30}),
                },
            ],
            "another_scheduler": [],
        }
        found = to_entries(entries, encode)
    assert [each.key for each in found["scheduler_name"]] == ["...", "...#2"]
    assert [each.data for each in found["scheduler_name"]] == [b'"SOME DATA"', b"2"]
    assert found["another_scheduler"] == ()
    assert len(caplog.records) == 1


def test_a_key_made_distinct_takes_no_other_entrys_key():
    given = {"s": [entry(key="a"), entry(key="a"), entry(key="a#2"), entry(key="a")]}
    assert [each.key for each in to_entries(given, encode)["s"]] == ["a", "a#3", "a#2", "a#4"]


def test_equal_keys_of_two_schedulers_are_no_matter(caplog):
    to_entries({"s": [entry()], "t": [entry()]}, encode)
    assert not caplog.records


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"key": ""}, "key: expected"),
        ({"key": 5}, "key: expected"),
        ({"key": "x" * 256}, "key: expected"),
        ({"key": "a\x00"}, "key: expected"),
        ({"group": "a..b"}, "group: expected"),
        ({"group": "*"}, "group: expected"),
        ({"name": ""}, "name: expected"),
        ({"data": "text"}, "data: expected bytes"),
        ({"data": b"x" * ((1 << 20) + 1)}, "data: expected at most"),
        ({"priority": 101}, "priority: expected"),
        ({"result_ttl": -1}, "result_ttl: expected"),
        ({"result_ttl": float("nan")}, "result_ttl: expected"),
        ({"timeout": 0}, "timeout: expected"),
        ({"labels": {"a": [1]}}, "label 'a'"),
        ({"missed": "some"}, "missed: expected one of latest"),
        ({"missed": ["all"]}, "missed: expected one of latest"),
        ({"schedule": "*/5 * * * *"}, "schedule: expected an object with a method next_after"),
        ({"schedule": RegularSchedule}, "schedule: expected an object"),
        ({"schedule": lambda points, last: []}, "schedule: expected an object"),
    ],
)
def test_a_field_outside_its_limits_is_refused_with_the_entrys_key(changes, says):
    with pytest.raises(InvalidSchedule, match=says):
        entry(**changes)
    if "key" not in changes:
        with pytest.raises(InvalidSchedule, match="entry 'k'"):
            entry(**changes)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"s": [entry_dict(priority=1000)]}, "scheduler 's': entry 'k': priority"),
        ({"s": [{"key": "k"}]}, "scheduler 's': entry 'k': expected also data, group, name"),
        ({"s": [entry_dict(every=5)]}, "scheduler 's': entry 'k': unknown: every"),
        ({"s": [5]}, "scheduler 's': expected a ScheduleEntry, or a dict with"),
        ({"s": entry()}, "scheduler 's': expected a list of entries"),
        ({"s": "text"}, "scheduler 's': expected a list of entries"),
        ({"s": [entry_dict(data={1})]}, "scheduler 's': entry 'k': its data cannot be encoded"),
        ({"": []}, "name of a scheduler"),
        ({5: []}, "name of a scheduler"),
        ({"s": [entry()] * (MAX_ENTRIES + 1)}, "scheduler 's': expected at most 5000 entries"),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said_with_scheduler_and_key(given, says):
    with pytest.raises(InvalidSchedule, match=says):
        to_entries(given, encode)


def test_an_object_with_next_after_is_a_schedule():
    class Mine:
        def next_after(self, moment: datetime) -> datetime | None:
            return datetime(2100, 1, 1, tzinfo=UTC)

    assert entry(schedule=Mine()).policy == "latest"


def test_the_entrys_policy_goes_before_the_schedules():
    earliest = RegularSchedule(duplication_policy=OnlyEarliest())
    own = lambda points, last: points
    assert entry().policy == "latest"
    assert entry(schedule=RegularSchedule(duplication_policy=OnlyLatest())).policy == "latest"
    assert entry(schedule=earliest).policy == "earliest"
    assert entry(schedule=earliest, missed="all").policy == "all"
    assert entry(schedule=RegularSchedule(duplication_policy=own)).policy is own
