"""Schedules that are declared where the function is."""

import threading
import time
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from project import asked, moved

from taskkit import CronSchedule, IntervalSchedule, InvalidSchedule
from taskkit_django import recurring as module
from taskkit_django.recurring import declared, recurring, run_now


@pytest.fixture(autouse=True)
def nothing_declared(monkeypatch):
    monkeypatch.setattr(module, "_DECLARED", {})


def test_an_entry_tells_the_task_whatever_decorator_it_has(memory):
    nightly = CronSchedule("0 3 * * *")
    assert recurring(nightly, ("report",))(asked.mail) is asked.mail
    assert recurring(nightly, {"a": 1}, missed="none", priority=4)(moved.taskfunc_queue)
    mail, moved_one = declared()["code"]
    assert (mail["key"], mail["group"]) == ("django.tasks:project.asked.mail", "mail")
    assert (moved_one["name"], moved_one["group"]) == ("celery:project.moved.taskfunc_queue", "bar")
    assert (moved_one["missed"], moved_one["priority"]) == ("none", 4)


def test_workers_put_them_and_run_them(memory, monkeypatch):
    from taskkit_django.kit import worker_kit

    class Calls(list):
        called = threading.Event()

        def append(self, call):
            super().append(call)
            self.called.set()

    monkeypatch.setattr(asked, "calls", Calls())
    recurring(IntervalSchedule(timedelta(seconds=1)), ("tick",))(asked.echo)
    kit = worker_kit()
    assert set(kit.schedule_entries) == {"code"}
    with kit.running({"default": 1}, poll=0.1):
        assert Calls.called.wait(30)
    assert asked.calls[0] == (("tick",), {})


def test_one_in_code_is_run_now_as_its_ticks_are(memory):
    nightly = CronSchedule("0 3 * * *")
    recurring(nightly, {"to": "x"}, key="mail", priority=9, labels={"by": "clock"})(asked.mail)
    task_id = run_now(memory, "code", "mail")
    task = memory.backend.get([task_id])[task_id].task
    assert (task.name, task.priority) == ("django.tasks:project.asked.mail", 9)
    assert task.labels["by"] == "clock"
    with pytest.raises(InvalidSchedule, match="no entry 'other'"):
        run_now(memory, "code", "other")


def test_the_command_asks_for_the_scheduler_where_several_know_a_key(memory, capsys):
    from taskkit_django.kit import worker_kit

    nightly = CronSchedule("0 3 * * *")
    recurring(nightly, ("x",), key="mail")(asked.mail)
    name = "django.tasks:project.asked.mail"
    memory.schedules.add(
        {"key": "mail", "schedule": nightly, "group": "mail", "name": name, "data": ("y",)}
    )
    kit = worker_kit()
    with kit.running({"mail": 1}, poll=0.1):
        deadline = time.monotonic() + 30
        while not kit.schedules.list("code"):
            assert time.monotonic() < deadline
    with pytest.raises(CommandError, match="known to code, stored"):
        call_command("taskkit_schedules", "pause", "mail")
    call_command("taskkit_schedules", "pause", "mail", scheduler="code")
    assert kit.schedules.list("code")[0].paused
    assert not kit.schedules.list()[0].paused


def test_several_schedules_of_one_task_have_keys():
    every = IntervalSchedule(timedelta(seconds=1))
    recurring(every, key="one")(recurring(every, key="two")(asked.echo))
    assert {entry["key"] for entry in declared()["code"]} == {"one", "two"}
    recurring(every)(asked.echo)
    with pytest.raises(InvalidSchedule, match="taken"):
        recurring(every)(asked.echo)
    with pytest.raises(InvalidSchedule, match="taken"):
        recurring(every, key="one")(asked.mail)


def test_only_tasks_recur():
    with pytest.raises(InvalidSchedule, match="above a task's decorator"):
        recurring(IntervalSchedule(timedelta(seconds=1)))(test_only_tasks_recur)
