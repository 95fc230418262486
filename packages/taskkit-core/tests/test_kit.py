"""What the kit does with tasks before the store sees them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from taskkit import Kit, TaskRegistry
from taskkit.clock import ManualClock, micros
from taskkit.errors import InvalidInput, InvalidSchedule, InvalidSetting, InvalidTask, TaskNotFound
from taskkit.ids import new_id
from taskkit.limits import LATEST, MAX_DURATION
from taskkit.memory import MemoryBackend
from taskkit.records import Answered
from taskkit.task import NewTask


def task(**fields):
    return NewTask(**{"id": new_id("g"), "group": "g", "name": "n", "data": b"", **fields})


class Small(MemoryBackend):
    """Takes three tasks in one call."""

    def capabilities(self):
        return replace(super().capabilities(), max_batch=3)


def test_as_many_as_the_store_takes_are_put():
    kit = Kit(Small(), TaskRegistry())
    assert len(kit.put_new([task() for _ in range(3)])) == 3


def test_more_are_refused_with_the_number_and_nothing_is_put():
    kit = Kit(Small(), TaskRegistry())
    with pytest.raises(InvalidInput, match="at most 3 tasks in one call.*found 4; nothing was put"):
        kit.put_new([task() for _ in range(4)])
    assert kit.backend.count() == []


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_what_is_like_bytes_becomes_bytes(kind):
    kit = Kit(MemoryBackend(), TaskRegistry())
    data = bytearray(b"x")
    [result] = kit.put_new([task(data=kind(data))])
    data[0] = 0
    stored = kit.backend.get([result.id])[result.id].task.data
    assert type(stored) is bytes
    assert stored == b"x"


@pytest.mark.parametrize("data", ["text", 1, None, [1]])
def test_what_is_not_is_refused(data):
    kit = Kit(MemoryBackend(), TaskRegistry())
    with pytest.raises(InvalidTask, match="data"):
        kit.put_new([task(data=data)])


@pytest.mark.parametrize("backend", [None, "redis://user:secret@host/0", object()])
def test_a_kit_needs_a_backend(backend):
    with pytest.raises(InvalidSetting, match=r"backend: .*Kit\.connect") as caught:
        Kit(backend, TaskRegistry())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("plugins", [5, "plugin", None])
def test_plugins_are_several_objects(plugins):
    with pytest.raises(InvalidSetting, match=r"plugins: expected objects with hooks, .*found"):
        Kit(MemoryBackend(), TaskRegistry(), plugins=plugins)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"lease": 1}, "lease: expected at least twice the heartbeat"),
        ({"lease": "x"}, "lease"),
        ({"heartbeat": 0}, "heartbeat"),
        ({"max_data_bytes": -1}, "max_data_bytes"),
        ({"max_data_bytes": "1M"}, "max_data_bytes"),
        ({"tzinfo": "Europe/Berlin"}, r"tzinfo: expected .*ZoneInfo"),
    ],
)
def test_a_wrong_setting_of_a_kit_is_refused_where_it_is_made(setting, says):
    with pytest.raises(InvalidSetting, match=says):
        Kit(MemoryBackend(), TaskRegistry(), **setting)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"threads": 5}, "slots for each group"),
        ({"threads": {"": 1}}, "group"),
        ({"grace": -1}, "grace"),
        ({"max_tasks": 0}, "max_tasks"),
        ({"max_age": -1}, "max_age"),
        ({"max_rss": "512M"}, "max_rss"),
        ({"max_data_bytes": 0}, "max_data_bytes"),
        ({"tzinfo": "Europe/Berlin"}, "tzinfo"),
        ({"unknown": "drop"}, "unknown: expected 'fail' or 'park'"),
        ({"schedule_entries": [1]}, "by the names of their schedulers"),
    ],
)
def test_a_wrong_setting_of_workers_is_refused_before_any_starts(setting, says):
    kit = Kit(MemoryBackend(), TaskRegistry())
    with (
        pytest.raises((InvalidSetting, InvalidSchedule), match=says),
        kit.running(**{"threads": {"mail": 1}, **setting}),
    ):
        pass
    assert kit.backend.workers() == []


@pytest.mark.parametrize("labels", [[1], "ab", 5])
def test_labels_are_a_dict(labels):
    tasks = TaskRegistry()
    kit = Kit(MemoryBackend(), tasks)
    function = tasks.task(name="named")(print)
    for refused in (
        lambda: kit.initiate_task("mail", "named", labels=labels),
        lambda: kit.put_new([task(labels=labels)]),
        lambda: kit.find(labels=labels),
        lambda: function.options(labels=labels),
        lambda: tasks.task(labels=labels)(repr),
    ):
        with pytest.raises(InvalidTask, match="labels: expected a dict"):
            refused()


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        (
            lambda kit: kit.initiate_tasks(("x",)),
            "a task and whether it is eager, found \\('x',\\)",
        ),
        (lambda kit: kit.initiate_tasks(()), "a task and whether it is eager, found"),
        (lambda kit: kit.initiate_tasks(("x", True)), "expected a Task"),
        (
            lambda kit: kit.schedules.list(preview="x"),
            "preview: expected a whole number, found 'x'",
        ),
        (lambda kit: kit.schedules.pause(["x"]), r"no entry \['x'\]"),
        (lambda kit: kit.schedules.remove({}), "no entry {}"),
        (lambda kit: kit.pause(5), "groups: expected one name"),
        (lambda kit: kit.pause("mail", until="x"), "until: expected a datetime"),
        (lambda kit: kit.pause("mail", until=1e15), "until: expected a delay of at most a hundred"),
        (lambda kit: kit.pause("mail", until=datetime(1900, 1, 1, tzinfo=UTC)), "until: .*1970"),
        (lambda kit: kit.configure("mail", rate=5), r"rate: expected \(n, period\)"),
        (lambda kit: kit.configure("mail", rate=(1,)), r"rate: expected \(n, period\)"),
        (lambda kit: kit.purge(older_than="x"), "older_than"),
        (lambda kit: kit.purge(older_than=-1), "older_than"),
        (lambda kit: kit.purge(states=5), "state: expected some of"),
        (lambda kit: kit.find(after=5), "after: expected 'next'"),
        (lambda kit: kit.find(after="\ud800"), "after: expected 'next'"),
        (lambda kit: kit.find(5), "group: expected"),
        (lambda kit: kit.find("a..b"), "group: expected no empty part"),
        (lambda kit: kit.find("\ud800"), "group: expected"),
        (lambda kit: kit.find(name=5), "name: expected"),
        (lambda kit: kit.find(name=""), "name: expected"),
        (lambda kit: kit.find(labels=""), "labels: expected a dict"),
        (lambda kit: kit.find(labels={"a": object()}), "label 'a': expected"),
        (lambda kit: kit.find(labels={"a": 2**70}), "label 'a': expected"),
        (lambda kit: kit.find(labels={"a": "\x00"}), "label 'a': expected"),
        (lambda kit: kit.find(labels={"a": "\ud800"}), "label 'a': expected"),
        (lambda kit: kit.find(limit="x"), "limit"),
        (lambda kit: kit.find(limit=1 << 70), "limit"),
        (lambda kit: kit.find(limit=-1), "limit"),
    ],
)
def test_what_an_operation_cannot_take_is_refused(operation, says):
    with pytest.raises(InvalidInput, match=says):
        operation(Kit(MemoryBackend(), TaskRegistry()))


def test_a_pause_may_end_when_any_task_may_be_due():
    kit = Kit(MemoryBackend(ManualClock(0)), TaskRegistry())
    for until, end in (
        (timedelta(seconds=MAX_DURATION), micros(MAX_DURATION)),
        (datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC), LATEST),
    ):
        kit.pause("mail", until)
        assert kit.stats().control.pauses == {"mail": end}


@pytest.mark.parametrize("task_id", [5, None, ["mail_0"], b"mail_0", "mail\x00", "mail_\ud800"])
@pytest.mark.parametrize("operation", [Kit.cancel, Kit.requeue, Kit.delete, Kit.get_result])
def test_what_no_task_can_be_called_is_no_id(operation, task_id):
    with pytest.raises(InvalidTask, match="id: expected"):
        operation(Kit(MemoryBackend(), TaskRegistry()), task_id)


@pytest.mark.parametrize("task_id", ["", "mail_0", "x" * 500, "größe_0"])
def test_an_id_of_no_task_is_unknown(task_id):
    kit = Kit(MemoryBackend(), TaskRegistry())
    assert kit.cancel(task_id) is kit.reschedule(task_id, 5) is Answered.UNKNOWN
    with pytest.raises(TaskNotFound):
        kit.get_result(task_id).get(0)
