"""The state of schedulers: compare-and-set, together with the tasks of a tick."""

import pytest

from taskkit.records import Limits
from taskkit.task import State


def test_there_is_no_state_before_the_first(store):
    """SCH-04."""
    found = store.backend.load_schedule("main")
    assert (found.version, found.state, found.now) == (0, None, store.clock.now())


@pytest.mark.parametrize("state", [b"", b"\x00\xff", b"x" * 100_000], ids=len)
def test_state_round_trips_exactly(store, state):
    """SCH-04."""
    assert store.backend.advance_schedule("main", 0, state, [])
    found = store.backend.load_schedule("main")
    assert (found.version, found.state) == (1, state)
    assert type(found.state) is bytes


def test_versions_grow_by_one(store):
    """SCH-02."""
    for version in range(4):
        assert store.backend.load_schedule("main").version == version
        assert store.backend.advance_schedule("main", version, b"s", [])


def test_state_and_tasks_are_stored_together(store):
    """SCH-01."""
    tasks = [store.task(scheduled=store.at(0)), store.task("other", due=store.at(5))]
    assert store.backend.advance_schedule("main", 0, b"s", tasks)
    assert store.state(tasks[0].id) is State.QUEUED
    assert store.state(tasks[1].id) is State.WAITING
    assert store.get(tasks[0].id).task.scheduled == store.at(0)


@pytest.mark.parametrize("version", [0, 2, 99])
def test_an_outdated_version_changes_nothing(store, version):
    """SCH-02."""
    assert store.backend.advance_schedule("main", 0, b"first", [])
    task = store.task()
    assert not store.backend.advance_schedule("main", version, b"late", [task])
    found = store.backend.load_schedule("main")
    assert (found.version, found.state) == (1, b"first")
    assert not store.knows(task.id)


def test_a_first_version_other_than_zero_is_refused(store):
    """SCH-02."""
    assert not store.backend.advance_schedule("main", 1, b"s", [store.task()])
    assert store.backend.load_schedule("main").version == 0
    assert store.counts() == {}


def test_of_racing_schedulers_one_advances(store, race):
    """SCH-02."""
    for version in range(8):
        tasks = [store.task() for _ in range(4)]
        won = race(
            [
                lambda t=task, v=version: store.backend.advance_schedule("m", v, b"s", [t])
                for task in tasks
            ]
        )
        assert won.count(True) == 1
        assert [store.knows(task.id) for task in tasks] == won
    assert store.backend.load_schedule("m").version == 8


def test_a_tick_that_is_put_twice_is_one_task(store):
    """SCH-03."""
    task = store.task(number=7)
    assert store.backend.advance_schedule("main", 0, b"1", [task])
    assert store.backend.advance_schedule("main", 1, b"2", [task])
    assert sum(store.counts().values()) == 1


@pytest.mark.parametrize("other", ["Main", "main ", "mai", "main%", "é"])
def test_names_are_independent(store, other):
    """SCH-05."""
    store.backend.advance_schedule("main", 0, b"mine", [])
    assert store.backend.load_schedule(other).version == 0
    assert store.backend.advance_schedule(other, 0, b"theirs", [])
    assert store.backend.load_schedule("main").state == b"mine"


def test_a_full_queue_does_not_hold_a_schedule_back(store):
    """SCH-01, LIM-6."""
    store.backend.configure("mail", Limits(max_queue_size=1))
    store.add()
    task = store.task()
    assert store.backend.advance_schedule("main", 0, b"s", [task])
    assert store.knows(task.id)


def test_a_scheduled_task_respects_unique_keys(store):
    """SCH-01, UNQ-2."""
    first = store.add(unique_key="k")
    task = store.task(unique_key="k")
    assert store.backend.advance_schedule("main", 0, b"s", [task])
    assert store.ids() == [first]
