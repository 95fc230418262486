"""What is refused before anything is written."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkit import IntervalSchedule, Kit, TaskRegistry, exponential, fixed
from taskkit.errors import InvalidInput, InvalidSetting, InvalidTask
from taskkit.groups import covered, covers, owner
from taskkit.ids import new_id
from taskkit.limits import EARLIEST, LATEST, MAX_DURATION, check_group, check_tasks
from taskkit.memory import MemoryBackend
from taskkit.settings import Slots, WorkerSettings
from taskkit.task import TRANSITIONS, After, NewTask, State


def task(group="mail", **fields):
    return NewTask(**{"id": new_id(group), "group": group, "name": "send", "data": b"", **fields})


@pytest.mark.parametrize(
    "group", ["a", "x" * 100, "Any task group name", "mail.acme", "Ω", "a'b\"c%_{}[]", " a "]
)
def test_printable_names_are_groups(group):
    check_group(group)


@pytest.mark.parametrize(
    "group", ["", "x" * 101, "a\nb", "a\x00", "*", ".", "a.", ".a", "a..b", 7, None, b"a"]
)
def test_other_names_are_not(group):
    with pytest.raises(InvalidTask, match="group"):
        check_group(group)


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("name", "a\tb"),
        ("data", "text"),
        ("data", bytearray(b"x")),
        ("data", b"x" * ((1 << 20) + 1)),
        ("due", -1),
        ("due", LATEST + 1),
        ("due", 1.5),
        ("due", After(1 << 62)),
        ("priority", 101),
        ("priority", -101),
        ("priority", True),
        ("priority", 1.0),
        ("ttl", math.nan),
        ("ttl", math.inf),
        ("ttl", -1),
        ("timeout", 0),
        ("timeout", math.nan),
        ("expires", -5),
        ("unique_key", ""),
        ("unique_key", "k" * 256),
        ("unique_scope", "for ever"),
        ("lock_key", "a\nb"),
        ("lock_limit", 0),
        ("max_lost", 0),
        ("max_history", -1),
        ("on_lost", "panic"),
        ("labels", {"": 1}),
        ("labels", {"a": math.nan}),
        ("labels", {"a": [1]}),
        ("labels", {"a": "\x00"}),
        ("labels", {"a": "\ud800"}),
        ("labels", {"\ud800": 1}),
        ("name", "\ud800"),
        ("lock_key", "\udcff"),
        ("labels", {"a": math.inf}),
        ("labels", {"a": 2**53 + 1}),
        ("labels", {"a": -(2**53) - 1}),
        ("labels", {str(n): n for n in range(33)}),
        ("id", "other_" + "0" * 32),
    ],
)
def test_a_field_outside_its_limits_is_refused_by_name(field, wrong):
    with pytest.raises(InvalidTask, match=field.rstrip("s")):
        check_tasks([task(), task(), task(**{field: wrong})])


# No float holds the first; Python does not even write the second.
HUGE = [pytest.param(10**400, id="huge"), pytest.param(10**5000, id="unprintable")]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("field", ["due", "priority", "ttl", "timeout", "expires", "lock_limit"])
def test_a_number_beyond_every_float_is_refused_as_any_other(field, sign, number):
    with pytest.raises(InvalidTask, match=f"{field}: expected .*, found"):
        check_tasks([task(**{field: sign * number})])


@pytest.mark.parametrize("number", HUGE)
def test_so_it_is_wherever_seconds_or_numbers_are_given(number):
    tasks = TaskRegistry()
    kit = Kit(MemoryBackend(), tasks)
    named = tasks.task(name="named")(lambda: None)
    for refused in (
        lambda: named.options(due=number),
        lambda: named.options(expires=number),
        lambda: named.options(ttl=number),
        lambda: named.options(timeout=number),
        lambda: named.options(labels={"a": number}).delay(),
        lambda: tasks.task(expires=number)(repr),
        lambda: exponential(number),
        lambda: exponential(1, number),
        lambda: fixed(number),
        lambda: kit.initiate_task("mail", "named", due=number),
        lambda: kit.initiate_task("mail", "named", labels={"a": -number}),
        lambda: kit.pause("mail", until=number),
        lambda: kit.purge(older_than=number),
        lambda: kit.configure("mail", rate=(1, number)),
        lambda: kit.configure("mail", rate=(number, 1)),
        lambda: kit.configure("mail", max_running=number),
        lambda: Kit(MemoryBackend(), tasks, lease=number),
        lambda: kit.worker_settings({"mail": 1}, grace=number),
        lambda: kit.worker_settings({"mail": 1}, polling_interval=number),
        lambda: kit.worker_settings({"mail": 1}, max_age=number),
        lambda: IntervalSchedule(number),
    ):
        with pytest.raises(InvalidInput, match="expected .*, found"):
            refused()


def test_the_limits_themselves_are_accepted():
    most = task(
        data=b"x" * (1 << 20),
        due=LATEST,
        priority=100,
        ttl=0,
        unique_key="k" * 255,
        labels={"tenant": "x" * 255, "n": 2**53, "b": True, "f": 0.5, "t": "größe\n😀"},
    )
    check_tasks([most, replace(task(), priority=-100, due=0)])


def test_what_equals_a_good_value_is_looked_at_all_the_same():
    with pytest.raises(InvalidTask, match="priority"):
        check_tasks([replace(task(), priority=1), replace(task(), priority=True)])


names = st.text("abAB._ ", min_size=1, max_size=8)


@given(names, names)
def test_a_group_stands_for_itself_and_its_subgroups_only(group, other):
    assert covers(group, other) == (group == other or other.startswith(group + "."))
    assert covered(other, {group}) == covers(group, other)


def test_a_group_belongs_to_the_most_specific_want():
    wants = {"mail": 1, "mail.acme": 1}
    assert owner("mail.acme.x", wants) == "mail.acme"
    assert owner("mail.other", wants) == "mail"
    assert owner("mailing", wants) is None
    assert covered("anything", {"*"})


def test_slots_are_threads_or_async():
    assert Slots.of(8) == Slots.of("8") == Slots(8)
    assert Slots.of("async:200") == Slots(200, "async")


@pytest.mark.parametrize(
    "wrong",
    [0, -1, "x", "fiber:3", "async:", True, 10_001, "1.5", 1.5, 8.0, math.inf, math.nan, None, [8]],
)
def test_other_slots_are_refused(wrong):
    with pytest.raises(InvalidSetting, match="slots of a group: expected 1 to"):
        Slots.of(wrong)


@pytest.mark.parametrize("count", [0, -1, "8", 1.5, True, None, 10_001])
def test_slots_made_by_hand_are_as_many(count):
    with pytest.raises(InvalidSetting, match="slots: expected a whole number from 1 to 10000"):
        Slots(count)


@pytest.mark.parametrize("kind", ["fiber", None, ["async"]])
def test_slots_made_by_hand_are_of_a_kind_that_there_is(kind):
    with pytest.raises(InvalidSetting, match="kind of slots: expected 'thread' or 'async', found"):
        Slots(2, kind)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"groups": 5}, "groups: expected Slots by the names of groups, found 5"),
        ({"groups": {"a": 8}}, r"slots of group 'a': expected Slots, .*found 8"),
        ({"drain": "no"}, "drain: expected True or False, found 'no'"),
        ({"services": 5}, "services: expected True or False, found 5"),
        ({"schedules": 5}, "schedules: expected entries by the names of schedulers, found 5"),
        ({"unknown": []}, "unknown: expected 'fail' or 'park'"),
    ],
)
def test_a_setting_of_another_kind_is_refused(wrong, says):
    with pytest.raises(InvalidSetting, match=says):
        WorkerSettings(**{"groups": {"a": Slots(1)}, **wrong})


def test_a_refusal_of_slots_names_the_group():
    with pytest.raises(InvalidSetting, match="slots of group 'mail': expected 1 to"):
        Slots.of(0, "mail")


@pytest.mark.parametrize(
    "wrong", [{"max_tasks": 0}, {"max_age": 0}, {"max_age": -1}, {"max_rss": 0}]
)
def test_a_process_is_not_recycled_at_once(wrong):
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        WorkerSettings(groups={"a": Slots(1)}, **wrong)


def test_a_lease_must_outlast_a_lost_heartbeat():
    with pytest.raises(InvalidSetting, match="heartbeat"):
        WorkerSettings(groups={"a": Slots(1)}, lease=9, heartbeat=5)


def test_every_state_has_its_transitions_and_finished_ones_never_run():
    assert set(TRANSITIONS) == {None, *State}
    assert all(
        State.RUNNING not in targets for state, targets in TRANSITIONS.items() if state != "queued"
    )


def test_no_delay_leads_to_before_the_first_instant():
    backend, put = MemoryBackend(), task()
    backend.put([put])
    backend.reschedule([put.id], After(-int(MAX_DURATION) * 1_000_000))
    record = backend.get([put.id])[put.id]
    assert record is not None
    assert record.task.due == EARLIEST
