"""Schedules that are declared where the function is."""

import threading
from datetime import timedelta

import pytest
from project import asked, moved

from taskkit import CronSchedule, IntervalSchedule, InvalidSchedule
from taskkit_django import recurring as module
from taskkit_django.recurring import declared, recurring


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
