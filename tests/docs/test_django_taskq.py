"""A project on django-taskq moves by one import, as ``docs/django.md`` says; so does what waits."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        find_spec("django_taskq") is None, reason="django-taskq is not installed (pip install it)"
    ),
]

TASKS = """
from datetime import date
from pathlib import Path
from django_taskq.celery import shared_task

@shared_task
def send(to, day=None):
    with Path("sent.txt").open("a") as sent:
        print(to, day, file=sent)

@shared_task(queue="mail")
def mail(to):
    send(to)
"""


def test_by_one_import(guide, project_of):
    project = project_of(begin=False)
    project.write("settings.py", "INSTALLED_APPS += ['django_taskq']\n")
    project.write("shop/tasks.py", TASKS)
    project.manage("migrate")
    project.shell(
        "from datetime import date\nfrom shop.tasks import mail, send\n"
        "send.delay('queued', day=date(2026, 1, 2))\n"
        "mail.apply_async(('later',), countdown=3600, expires=7200)\n"
    )
    project.write("settings.py", "INSTALLED_APPS += ['taskkit_django']\n")
    project.write("shop/tasks.py", TASKS.replace("django_taskq.celery", "taskkit_django.celery"))
    project.manage("migrate")
    script = guide.files["From django-taskq"]["move_tasks.py"]
    project.manage("shell", "-v", "0", stdin=script)
    project.manage("taskkit_worker", "-g", "default=2", "-g", "mail=1", "--once")
    assert (project.folder / "sent.txt").read_text() == "queued 2026-01-02\n"
    queued, later = project.tasks()
    assert (queued[:3], later[:3]) == (
        ["celery:shop.tasks.send", "default", "succeeded"],
        ["celery:shop.tasks.mail", "mail", "waiting"],
    )
    project.shell(
        "from django_taskq.models import Task\n"
        "from taskkit_django.models import Task as New\n"
        "assert not Task.objects.exists()\n"
        "new = New.objects.get(name='celery:shop.tasks.mail')\n"
        "assert 3000 < (new.due - new.created).total_seconds() < 3700, new.due\n"
        "assert new.expires > new.due\n"
    )


def test_what_json_cannot_hold_leaves_everything_where_it_was(guide, project_of):
    project = project_of(begin=False)
    project.write("settings.py", "INSTALLED_APPS += ['django_taskq', 'taskkit_django']\n")
    project.write("shop/tasks.py", TASKS)
    project.manage("migrate")
    project.shell("from shop.tasks import send; send.delay('one'); send.delay(print)")
    project.write("shop/tasks.py", TASKS.replace("django_taskq.celery", "taskkit_django.celery"))
    script = guide.files["From django-taskq"]["move_tasks.py"]
    told = project.shell(
        f"from taskkit import InvalidTask\ntry:\n    exec({script!r})\n"
        "except InvalidTask as error: print(error)\n"
        "from django_taskq.models import Task\nprint(Task.objects.count())"
    )
    assert "builtins.builtin_function_or_method cannot be an argument" in told
    assert told.splitlines()[-1] == "2"
    assert project.tasks() == []
