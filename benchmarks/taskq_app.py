"""The no-op task for django-taskq (a peer, see ``peer.py``): one task at a time a process.

Its row is deleted when it is done. The driver is mysqlclient where that is installed, else PyMySQL.
"""

from __future__ import annotations

import os
from importlib.util import find_spec

import django
from django.conf import settings
from django.core.management import call_command
from peer import mysql_parameters, note_start

if find_spec("MySQLdb") is None:
    import pymysql

    pymysql.install_as_MySQLdb()

if not settings.configured:
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD"}
    given = {**names, "database": "NAME"}
    database = {given[name]: value for name, value in mysql_parameters().items()}
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.mysql", **database}},
        INSTALLED_APPS=["django_taskq"],
        USE_TZ=True,
    )
    django.setup()

from django_taskq.celery import shared_task
from django_taskq.models import Task


@shared_task
def noop() -> None:
    """Do nothing; note when."""
    note_start()


def fill(count: int) -> None:
    """Make the tables and enqueue so many tasks."""
    call_command("migrate", verbosity=0)
    for _ in range(count):
        noop.delay()


def work() -> None:
    """Run a worker until SIGTERM."""
    # It prints three lines a task; where they go must not be what is measured.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        call_command("taskq", "-l", "ERROR", stdout=nowhere)


def left() -> int:
    """Return how many tasks are not done."""
    return Task.objects.count()
