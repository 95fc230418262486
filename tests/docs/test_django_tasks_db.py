"""A project on django-tasks-db moves by its settings alone, as ``docs/django.md`` says."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import django
import pytest

BACKPORT = django.VERSION < (6, 0)
PACKAGE = "django_tasks" if BACKPORT else "django.tasks"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        BACKPORT and find_spec("django_tasks") is None, reason="the backport is not installed"
    ),
]

PAGE = (Path(__file__).parents[2] / "docs" / "django.md").read_text("utf-8")
CHAPTER = PAGE.partition("### From django-tasks-db\n")[2].partition("\n### ")[0]

# The project's code: the same before and after.
TASKS = f"""
from pathlib import Path
from django.dispatch import receiver
from {PACKAGE} import task
from {PACKAGE}.signals import task_finished

@task
def confirm(order_id):
    return f"confirmed {{order_id}}"

@task(priority=5, queue_name="mail", takes_context=True)
def mail(context, to, *, subject):
    return [to, subject, context.attempt]

@task
async def doubled(text):
    return text * 2

@task
def fails(text):
    raise LookupError(text)

@receiver(task_finished)
def note(task_result, **_rest):
    with Path("finished.txt").open("a") as file:
        print(task_result.task.name, task_result.status.name, file=file)
"""
ORDERS = f"""
from datetime import timedelta
from django.db import transaction
from django.utils.timezone import now
from {PACKAGE} import default_task_backend
from shop.tasks import confirm, doubled, fails, mail

def order():
    with transaction.atomic():
        confirm.enqueue(6)
        transaction.set_rollback(True)
    tomorrow = now() + timedelta(days=1)
    return [result.id for result in (
        confirm.enqueue(7),
        mail.using(priority=9).enqueue("a@b.c", subject="hi"),
        doubled.enqueue(text="ha"),
        fails.enqueue("no"),
        confirm.using(run_after=tomorrow).enqueue(8),
    )]

def seen(ids):
    return [see(default_task_backend.get_result(task_id)) for task_id in ids]

def see(result):
    return [
        result.task.module_path, result.task.queue_name, result.task.priority,
        result.args, result.kwargs, result.status.name, result.attempts, result.is_finished,
        result.return_value if result.status.name == "SUCCESSFUL" else None,
        [error.exception_class_path for error in result.errors],
        ["LookupError: no" in error.traceback for error in result.errors],
    ]
"""
EXPECTED = [
    ["shop.tasks.confirm", "default", 0, [7], {}, "SUCCESSFUL", 1, True, "confirmed 7", [], []],
    ["shop.tasks.mail", "mail", 9, ["a@b.c"], {"subject": "hi"}, "SUCCESSFUL", 1, True,
     ["a@b.c", "hi", 1], [], []],
    ["shop.tasks.doubled", "default", 0, [], {"text": "ha"}, "SUCCESSFUL", 1, True, "haha", [], []],
    ["shop.tasks.fails", "default", 0, ["no"], {}, "FAILED", 1, True, None,
     ["builtins.LookupError"], [True]],
    ["shop.tasks.confirm", "default", 0, [8], {}, "READY", 0, False, None, [], []],
]  # fmt: skip
FINISHED = ["confirm SUCCESSFUL", "doubled SUCCESSFUL", "fails FAILED", "mail SUCCESSFUL"]

BEFORE = f"""
INSTALLED_APPS += {["django_tasks"] if BACKPORT else []} + ["django_tasks_db"]
TASKS = {{"default": {{
    "BACKEND": "django_tasks_db.DatabaseBackend",
    "QUEUES": ["default", "mail"],
    "OPTIONS": {{"id_function": "uuid.uuid4"}},
}}}}
"""


def told():
    """Return what the chapter's steps say in code."""
    return re.findall(r"`([^`]+)`", CHAPTER)


def changed_settings():
    apps = next(code for code in told() if code.startswith("INSTALLED_APPS += "))
    backend = next(code for code in told() if code.startswith('"BACKEND": '))
    return f"{apps}\nTASKS['default'].update({{{backend}}})\ndel TASKS['default']['OPTIONS']\n"


def worker_options():
    return next(code for code in told() if code.startswith("-g ")).split()


def put(project):
    return json.loads(
        project.shell("import json; from shop.orders import order; print(json.dumps(order()))")
    )


def seen(project, ids):
    return json.loads(
        project.shell(f"import json; from shop.orders import seen; print(json.dumps(seen({ids})))")
    )


def finished(project):
    file = project.folder / "finished.txt"
    lines = file.read_text().splitlines()
    file.unlink()
    return sorted(lines)


@pytest.fixture
def project(project_of):
    project = project_of(begin=False)
    project.write("settings.py", BEFORE)
    project.write("shop/tasks.py", TASKS)
    project.write("shop/orders.py", ORDERS)
    return project


@pytest.mark.skipif(
    find_spec("django_tasks_db") is None, reason="django-tasks-db is not installed (pip install it)"
)
def test_by_its_settings(guide, project):
    project.manage("migrate")
    old = put(project)
    run = ("db_worker", "--batch", "--queue-name", "*", "--no-startup-delay")
    project.manage(*run)
    assert seen(project, old) == EXPECTED
    assert finished(project) == FINISHED
    project.shell("from shop.tasks import confirm; confirm.enqueue(20)")  # nobody ran it

    project.write("settings.py", changed_settings())
    project.manage("migrate")
    project.manage("check", "--fail-level", "WARNING")
    new = put(project)
    project.manage("shell", "-v", "0", stdin=guide.files["From django-tasks-db"]["move_tasks.py"])
    project.manage("taskkit_worker", *worker_options(), "--once")
    assert seen(project, new) == EXPECTED
    assert finished(project) == sorted([*FINISHED, "confirm SUCCESSFUL"])
    moved = {task[3]["args"][0]: task[2] for task in project.tasks() if task[3]["args"]}
    assert moved == {7: "succeeded", "a@b.c": "succeeded", "no": "failed", 20: "succeeded",
                     8: "waiting"}  # fmt: skip
    assert [task[2] for task in project.tasks()].count("waiting") == 2  # old and new
    project.shell(
        "from collections import Counter\n"
        "from django_tasks_db.models import DBTaskResult\n"
        "left = Counter(DBTaskResult.objects.values_list('status', flat=True))\n"
        "assert left == {'SUCCESSFUL': 3, 'FAILED': 1}, left\n"
        f"from {PACKAGE} import default_task_backend\n"
        f"from {PACKAGE}.exceptions import TaskResultDoesNotExist\n"
        "try:\n"
        f"    default_task_backend.get_result({old[0]!r})\n"
        "except TaskResultDoesNotExist: pass\n"
        "else: raise AssertionError('found')\n"
    )


def test_without_django_tasks_db(project):
    project.write("settings.py", "INSTALLED_APPS.remove('django_tasks_db')\n")
    project.write("settings.py", changed_settings())
    project.manage("migrate")
    project.manage("check", "--fail-level", "WARNING")
    new = put(project)
    project.manage("taskkit_worker", *worker_options(), "--once")
    assert seen(project, new) == EXPECTED
    assert finished(project) == FINISHED


def test_options_that_stay_are_told(project):
    project.write("settings.py", "INSTALLED_APPS.remove('django_tasks_db')\n")
    kept = changed_settings().replace("del TASKS", "TASKS")
    project.write("settings.py", kept)
    with pytest.raises(AssertionError, match="taskkit.E102"):
        project.manage("check")
