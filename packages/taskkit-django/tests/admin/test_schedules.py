"""Schedules in the admin: created, edited, paused, run, removed."""

import json
from datetime import date, timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from project import asked

from taskkit import CronSchedule, IntervalSchedule, RegularSchedule
from taskkit.schedule import ScheduleEntry
from taskkit_django import recurring
from taskkit_django.admin import schedules

ADD = "/admin/taskkit/scheduleentry/add/"
LIST = "/admin/taskkit/scheduleentry/"
ENTRY = {
    "key": "nightly",
    "name": "django.tasks:project.asked.mail",
    "group": "mail",
    "arguments": '["a@b.c"]',
    "kind": "cron",
    "when": "30 3 * * *",
    "zone": "Europe/Berlin",
    "missed": "latest",
    "priority": "4",
}


def change(key):
    return reverse("admin:taskkit_scheduleentry_change", args=[quote(key)])


def errors(answer):
    return {name: str(error) for name, error in answer.context["form"].errors.items()}


def texts(answer):
    return [str(message) for message in answer.context["messages"]]


def test_created_listed_and_edited(kit, admin_client):
    answer = admin_client.post(ADD, ENTRY, follow=True)
    assert texts(answer) == ["Saved nightly. Workers see it within seconds."]
    (row,) = answer.context["rows"]
    assert row["name"] == "project.asked.mail"
    assert answer.content.decode().count("03:30:00") == 5

    form = admin_client.get(change("nightly"))
    assert len(form.context["ticks"]) == 5
    for shown in ("30 3 * * *", "a@b.c", "Europe/Berlin", "project.asked.mail"):
        assert shown in form.content.decode()
    edited = {**ENTRY, "kind": "interval", "when": "90s", "arguments": '{"to": "x"}'}
    admin_client.post(change("nightly"), edited)
    form = admin_client.get(change("nightly")).context["form"]
    assert (form["when"].value(), form["arguments"].value()) == ("90s", '{"to": "x"}')
    (listed,) = kit.schedules.list()
    assert "90" in listed.schedule
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == [
        "Added.",
        "Changed.",
    ]


def test_a_preview_saves_nothing(kit, admin_client):
    answer = admin_client.post(ADD, {**ENTRY, "_preview": "1"})
    assert len(answer.context["ticks"]) == 5
    assert kit.schedules.list() == []


@pytest.mark.parametrize(
    ("wrong", "field", "told"),
    [
        ({"when": "61 * * * *"}, "when", "61"),
        ({"when": ""}, "when", "required"),
        ({"kind": "interval", "when": "sometimes"}, "when", "90s"),
        ({"zone": "Mars/Olympus"}, "zone", "Mars/Olympus"),
        ({"name": "project.nobody"}, "arguments", "unknown task"),
        ({"arguments": "{"}, "arguments", "Expecting"),
        ({"arguments": "5"}, "arguments", "a list or an object"),
        ({"group": "a..b"}, "__all__", "dots"),
        ({"priority": "101"}, "priority", "100"),
    ],
)
def test_what_is_wrong_is_told_where_it_is(kit, admin_client, wrong, field, told):
    answer = admin_client.post(ADD, {**ENTRY, **wrong})
    assert told in errors(answer)[field]
    assert kit.schedules.list() == []


def test_a_key_is_not_taken_twice(kit, admin_client):
    admin_client.post(ADD, ENTRY)
    answer = admin_client.post(ADD, {**ENTRY, "when": "0 0 * * *"})
    assert "taken" in texts(answer)[-1]
    assert "30 3" in kit.schedules.list()[0].schedule


def steer(client, what, key="nightly", scheduler="stored"):
    return texts(client.post(LIST, {"_steer": f"{what} {scheduler}\t{key}"}, follow=True))


def test_paused_resumed_run_and_removed(kit, admin_client):
    admin_client.post(ADD, ENTRY)
    steer(admin_client, "pause")
    assert kit.schedules.list()[0].paused
    steer(admin_client, "resume")
    assert not kit.schedules.list()[0].paused
    (told,) = steer(admin_client, "run")
    (record,) = kit.find(group="mail").records
    assert record.task.id in told
    assert asked.mail.get_result(record.task.id).args == ["a@b.c"]
    steer(admin_client, "remove")
    assert kit.schedules.list() == []
    assert LogEntry.objects.count() == 5
    assert "no entry" in steer(admin_client, "pause")[0]


def test_editing_keeps_what_the_form_does_not_show(kit, admin_client):
    kit.schedules.add(
        {
            "key": "odd",
            "schedule": RegularSchedule(seconds={0}, minutes={5}),
            "group": "mail",
            "name": ENTRY["name"],
            "data": ("x",),
            "timeout": 9,
            "labels": {"team": "blue"},
            "result_ttl": 60,
        }
    )
    answer = admin_client.get(change("odd"))
    assert "only code can write" in texts(answer)[0]
    admin_client.post(change("odd"), {**ENTRY, "key": "odd"})
    task_id = kit.schedules.run_now("odd")
    task = kit.get_result(task_id).record.task
    assert (task.timeout, task.labels, task.ttl, task.priority) == (9, {"team": "blue"}, 60, 4)


UNSHOWN = {
    "a date": ("celery:project.moved.taskfunc", (date(2026, 1, 2),)),
    "both kinds": ("celery:project.moved.taskfunc", b'{"args": ["x"], "kwargs": {"b": "y"}}'),
    "no JSON": ("celery:project.moved.taskfunc", b"\xff\xfe"),
    "a text": ("celery:project.moved.taskfunc", b'"x"'),
}


@pytest.fixture
def stored(kit):
    """Store an entry with some arguments; return them as they are stored, now or later."""

    def store(name, given):
        data = given if isinstance(given, bytes) else kit.handler.encode_data("mail", name, given)
        when = CronSchedule("0 3 * * *")
        kit.schedules.add(ScheduleEntry(key="k", schedule=when, group="mail", name=name, data=data))
        return lambda: schedules._stored("k").data

    return store


@pytest.mark.parametrize(("name", "given"), UNSHOWN.values(), ids=UNSHOWN)
def test_arguments_that_the_form_cannot_show_stay_as_they_are(stored, admin_client, name, given):
    data = stored(name, given)
    before = data()
    shown = admin_client.get(change("k")).context["form"]
    form = {field.name: field.value() for field in shown}
    admin_client.post(change("k"), {**form, "when": "0 4 * * *"})
    assert "0 4" in str(schedules._stored("k").schedule)
    assert data() == before
    for edited in ({"arguments": "[1]"}, {"name": ENTRY["name"]}, {"group": "other"}):
        answer = admin_client.post(change("k"), {**form, **edited})
        assert "cannot be edited here" in errors(answer)["arguments"]
        assert data() == before


def test_arguments_of_another_task_are_checked_again(stored, admin_client):
    data = stored("celery:project.moved.taskfunc", ("x",))
    form = {field.name: field.value() for field in admin_client.get(change("k")).context["form"]}
    admin_client.post(change("k"), {**form, "name": ENTRY["name"], "arguments": '["y"]'})
    assert schedules._stored("k").name == ENTRY["name"]
    assert json.loads(data())["args"] == ["y"]


def test_entries_in_code_are_run_and_paused_but_not_edited(kit, admin_client, monkeypatch):
    from taskkit.schedule.entry import to_entries
    from taskkit.schedule.scheduler import schedulers

    monkeypatch.setattr(recurring, "_DECLARED", {})
    recurring.recurring(IntervalSchedule(timedelta(hours=1)), ("hi",), key="hourly")(asked.mail)
    entries = to_entries(recurring.declared(), kit.handler.encode_data)
    for scheduler in schedulers(kit.backend, entries):
        scheduler.step()
    page = admin_client.get(LIST)
    assert "in code" in page.content.decode()
    assert change("hourly") not in page.content.decode()
    (told,) = steer(admin_client, "run", "hourly", "code")
    assert "put the task mail_" in told
    steer(admin_client, "pause", "hourly", "code")
    assert kit.schedules.list("code")[0].paused
    assert admin_client.get(change("hourly"), follow=True).redirect_chain


def test_permissions(kit, db):
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_scheduleentry"))
    client = Client()
    client.force_login(user)
    kit.schedules.add(
        {
            "key": "k",
            "schedule": CronSchedule("0 3 * * *"),
            "group": "mail",
            "name": "celery:project.moved.logs_in",
            "data": ("alice", "hunter2"),
        }
    )
    assert client.get(LIST).status_code == 200
    page = client.get(change("k"))
    assert page.status_code == 200
    assert "alice" in page.content.decode()
    assert "hunter2" not in page.content.decode()
    assert client.get(ADD).status_code == 403
    assert client.post(change("k"), ENTRY).status_code == 403
    for what in ("run", "pause", "remove"):
        assert client.post(LIST, {"_steer": f"{what} stored\tk"}).status_code == 403
