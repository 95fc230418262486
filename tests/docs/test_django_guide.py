"""The files that ``docs/django.md`` shows make projects that do what the page says."""

from __future__ import annotations

import json
import re
import time

import django
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# What a project has anyway.
URLS = """
from shop import views
urlpatterns += [path("order", views.order)]
"""
REPORT = "django.tasks:shop.tasks.report"
ORDER = "from shop.orders import order; order()"


def test_every_block_is_of_a_file_and_in_a_test(guide):
    assert guide.unnamed == []
    assert set(guide.files) == {
        "Begin", "Transactions", "Settings", "taskkit's own", "django.tasks",
        "The Celery-style API", "Schedules", "Secrets", "Tests", "SQLite", "Several databases",
        "From the first taskkit",
        "From django-tasks-db",  # in test_django_tasks_db.py
        "From django-taskq",  # in test_django_taskq.py
    }  # fmt: skip


def test_begin(guide, project_of):
    project = project_of()
    project.manage("check", "--fail-level", "WARNING")
    project.manage("makemigrations", "--check", "--dry-run")
    project.shell("from shop.tasks import confirm; confirm.delay(7)")
    *_, worker = guide.commands["Begin"]
    project.command(f"{worker} --once")
    [(name, group, state, data, result)] = project.tasks()
    assert (name, group, state) == ("shop.tasks.confirm", "default", "succeeded")
    assert (data, result) == ({"order_id": 7}, "confirmed 7")


@pytest.fixture
def shop(project_of):
    """The project in which orders are rows."""
    project = project_of("Transactions", "Tests")
    project.write("urls.py", URLS)
    project.manage("makemigrations", "shop")
    project.manage("migrate")
    return project


def test_transactions(shop):
    shop.manage("check", "--fail-level", "WARNING")
    shop.shell(
        "from django.test import Client\n"
        "from shop.models import Order\n"
        "from taskkit_django.kit import kit\n"
        "def put(article):\n"
        "    answer = Client(SERVER_NAME='localhost').post('/order', {'article': article})\n"
        "    assert answer.status_code == 204, answer\n"
        "put('book')\n"
        "order = Order.objects.get()\n"
        "assert order.state == 'new'\n"
        "assert kit().backend.get([order.task_id])[order.task_id] is not None\n"
        "from django.db import transaction\n"
        "with transaction.atomic():\n"
        "    put('pen')\n"
        "    assert kit().stats().count() == 2\n"
        "    transaction.set_rollback(True)\n"
        "assert kit().stats().count() == Order.objects.count() == 1\n"
    )
    shop.manage("taskkit_worker", "--batch")
    told = shop.shell("from shop.models import Order; print(Order.objects.get().state)")
    assert told == "confirmed\n"


def test_tests(shop):
    told = shop.manage("test").stderr
    assert "Ran 1 test in" in told
    assert "\nOK\n" in told


def test_settings(project_of):
    project = project_of("Settings")
    project.manage("check", "--fail-level", "WARNING")
    project.shell(
        "from shop.tasks import confirm\n"
        "confirm.delay(1); confirm.options(group='mail.acme').delay(2)\n"
        "confirm.options(group='other').delay(3)"
    )
    told = project.manage("taskkit_worker", "--once").stderr
    assert project.states() == {1: "succeeded", 2: "succeeded", 3: "queued"}
    assert "crawl" in told


def test_own_tasks(project_of):
    project = project_of("taskkit's own")
    project.shell(ORDER)
    project.manage("taskkit_worker", "-g", "mail=4", "--once")
    assert project.states() == {
        7: "succeeded", 8: "waiting", 9: "succeeded", 10: "succeeded"
    }  # fmt: skip
    results = {result for *_, state, _, result in project.tasks() if state == "succeeded"}
    assert any(re.fullmatch(r"confirmed 7 of \w+day", result) for result in results)


def test_django_tasks(project_of):
    if django.VERSION < (6, 0):
        pytest.importorskip("django_tasks", reason="the backport is not installed")
    project = project_of("django.tasks")
    project.manage("check", "--fail-level", "WARNING")
    project.shell(ORDER)
    project.manage("taskkit_worker", "-g", "mail", "-g", "default", "--once")
    assert project.states() == {7: "cancelled", 8: "succeeded", 9: "succeeded"}
    until_known(project, {"code"})
    project.manage("taskkit_schedules", "run", REPORT)
    project.manage("taskkit_worker", "-g", "mail", "-g", "default", "--once")
    assert [REPORT, "default", "succeeded"] in [task[:3] for task in project.tasks()]


def until_known(project, schedulers):
    """Have a worker run until it has told the store of all schedules."""
    with project.working():
        deadline = time.monotonic() + 60
        while not project.rows("SELECT id FROM taskkit_worker") or schedulers - {
            name for (name,) in project.rows("SELECT name FROM taskkit_schedule")
        }:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_celery_style_tasks(project_of):
    project = project_of("The Celery-style API")
    project.shell(ORDER)
    project.manage("taskkit_worker", "-g", "mail", "-g", "slow", "--once")
    assert project.states() == {7: "succeeded", 8: "waiting", 9: "cancelled"}
    assert [group for _, group, state, *_ in project.tasks() if state == "waiting"] == ["slow"]


def test_schedules(project_of):
    project = project_of("Schedules")
    project.write("other_app/__init__.py", "")
    project.write(
        "other_app/tasks.py",
        "from taskkit_django.celery import shared_task\n\n"
        "@shared_task\ndef clean(days): return days\n",
    )
    project.manage("check", "--fail-level", "WARNING")
    until_known(project, {"code", "settings"})
    listed = json.loads(project.manage("taskkit_schedules", "--json").stdout)["schedules"]
    assert {entry["key"] for entry in listed} == {"nightly", "often", "clean"}
    for entry in listed:
        project.manage("taskkit_schedules", "run", entry["key"])
    project.manage("taskkit_worker", "--once")
    run = {(name, json.dumps(data.get("kwargs", data))) for name, _, _, data, _ in project.tasks()}
    assert run == {
        ("shop.tasks.report", "{}"),
        ("shop.tasks.report", '{"kind": "short"}'),
        ("celery:other_app.tasks.clean", '{"days": 30}'),
    }
    assert {task[2] for task in project.tasks()} == {"succeeded"}


def test_secrets(project_of):
    project = project_of("Secrets")
    project.write(
        "shop/tasks.py",
        "from taskkit_django import task\n\n@task\ndef pay(iban: str, euro: int): ...\n",
    )
    project.manage("check", "--fail-level", "WARNING")
    page = project.shell(
        "from django.contrib.auth.models import User\n"
        "from django.test import Client\n"
        "from shop.tasks import pay\n"
        "task = pay.delay('DE02120300000000202051', 7531)\n"
        "client = Client(SERVER_NAME='localhost')\n"
        "client.force_login(User.objects.create_superuser('admin'))\n"
        "print(client.get(f'/admin/taskkit/queuedtask/{task.id}/change/', follow=True)"
        ".content.decode())"
    )
    assert "7531" in page
    assert "DE02" not in page


def test_sqlite(project_of):
    project = project_of("SQLite")
    project.manage("check", "--fail-level", "INFO")
    project.manage("migrate")
    project.shell("from shop.tasks import confirm; confirm.delay(7)")
    project.manage("taskkit_worker", "--once")
    assert project.states() == {7: "succeeded"}
    assert project.rows("PRAGMA journal_mode") == [("wal",)]


def tables(project, database):
    found = project.rows("SELECT name FROM sqlite_master WHERE type = 'table'", database)
    return {name for (name,) in found if not name.startswith("sqlite_")}


def without_tables(project):
    (project.folder / "db.sqlite3").unlink()


# The same as in the chapter on tests, with both databases.
TESTS = """
from django.db import transaction
from django.test import TestCase
from shop.tasks import confirm
from taskkit_django.testing import run_tasks

class Tests(TestCase):
    databases = {"default", "queue"}

    def test_confirms(self):
        confirm.delay(7)
        [record] = run_tasks()
        assert record.state == "succeeded"

    def test_begins_empty(self):
        assert run_tasks() == []
        confirm.delay(8)
"""


@pytest.fixture
def two_databases(guide, project_of):
    project = project_of("Several databases")
    without_tables(project)
    project.write("shop/tests.py", TESTS)
    project.manage("check", "--fail-level", "WARNING")
    for line in guide.commands["Several databases"]:
        project.command(line)
    return project


def test_several_databases(two_databases):
    project = two_databases
    assert not [name for name in tables(project, "db.sqlite3") if name.startswith("taskkit_")]
    in_queue = tables(project, "queue.sqlite3") - {"django_migrations"}
    assert "taskkit_task" in in_queue
    assert all(name.startswith("taskkit_") for name in in_queue)
    project.manage("check", "--database", "queue", "--database", "default")
    project.shell(
        "from django.db import transaction\n"
        "from shop.tasks import confirm\n"
        "confirm.delay(7)\n"
        "for number, using in ((8, 'queue'), (9, 'default')):\n"
        "    with transaction.atomic(using=using):\n"
        "        confirm.delay(number)\n"
        "        transaction.set_rollback(True, using=using)\n"
    )
    project.manage("taskkit_worker", "--once")
    assert project.states() == {7: "succeeded", 9: "succeeded"}


def test_tests_of_several_databases(two_databases):
    assert "Ran 2 tests in" in two_databases.manage("test").stderr


def test_database_without_a_router(project_of):
    project = project_of("Several databases")
    without_tables(project)
    project.write("settings.py", "DATABASE_ROUTERS = []\nTASKKIT = {'DATABASE': 'queue'}\n")
    project.manage("check", "--fail-level", "WARNING")
    project.manage("migrate")
    project.manage("migrate", "taskkit", "--database", "queue")
    project.shell("from shop.tasks import confirm; confirm.delay(7)")
    project.manage("taskkit_worker", "--once")
    count = "SELECT count(*) FROM taskkit_task"
    assert project.rows(count, "queue.sqlite3") == [(1,)]
    assert project.rows(count) == [(0,)]


HANDLER = """
import json
from taskkit import TaskHandler

class Handler(TaskHandler):
    def handle(self, task):
        return [task.name, json.loads(task.data)["number"] + 1]

    def get_retry_interval(self, task, exception):
        return None

    def encode_data(self, group, task_name, data):
        return json.dumps(data).encode()

    def encode_result(self, task, result):
        return json.dumps(result).encode()

    def decode_result(self, task, encoded):
        return json.loads(encoded)
"""


def test_the_first_taskkit(project_of):
    project = project_of("From the first taskkit", begin=False)
    project.write("handler.py", HANDLER)
    project.manage("check", "--fail-level", "WARNING")
    project.manage("migrate")
    told = project.shell(
        "from app import kit\n"
        "result = kit.initiate_task('any group', 'foo', {'number': 1})\n"
        "with kit.running({'any group': 1}):\n"
        "    print(result.get(timeout=60))"
    )
    assert told == "['foo', 2]\n"
