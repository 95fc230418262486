"""The admin on tasks that are in PostgreSQL and MariaDB, as another database of the project."""

import secrets
from importlib import import_module
from importlib.machinery import PathFinder
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connections
from django.test import Client
from django.urls import reverse
from project import moved

from taskkit import State
from taskkit.records import Outcome, Settlement, WorkerInfo
from taskkit.task import Failure
from taskkit_conformance.servers.fixtures import (
    mariadb_server,  # noqa: F401 - fixtures
    mariadb_url,  # noqa: F401 - fixtures
    postgres_server,  # noqa: F401 - fixtures
    postgres_url,  # noqa: F401 - fixtures
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LISTS = ["failed", "lost", "running", "queued", "blocked", "waiting", "finished", "cancelled"]


def settings_of(url):
    parts = urlsplit(url)
    kind = parts.scheme.partition("+")[0]
    if kind != "postgresql":
        kind = "mysql"
        if PathFinder.find_spec("MySQLdb") is None:
            import_module("pymysql").install_as_MySQLdb()
    return {
        "ENGINE": f"django.db.backends.{kind}",
        "NAME": parts.path[1:],
        "USER": parts.username or "",
        "PASSWORD": parts.password or "",
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
    }


@pytest.fixture(params=["postgres", "mariadb"])
def kit(request, settings, django_db_blocker):
    """The project's kit on a server; tasks in every state."""
    url = request.getfixturevalue(f"{request.param}_url")
    alias = f"tasks_{secrets.token_hex(4)}"
    made = connections.configure_settings({"default": {}, alias: settings_of(url)})
    connections.settings[alias] = made[alias]
    settings.TASKKIT = {"DATABASE": alias}
    from taskkit_django.kit import kit

    # Not by pytest-django's "db", which forbids databases that it has not been told of.
    with django_db_blocker.unblock():
        call_command("migrate", "taskkit", database=alias, verbosity=0)
        fill(kit())
        yield kit()
        kit().close()
        connections[alias].close()
    del connections.settings[alias]
    del connections[alias]


@pytest.fixture
def client(kit):
    """Somebody who may do everything; users are in the default database."""
    call_command("migrate", verbosity=0)
    user = User.objects.create_superuser("of servers")
    client = Client()
    client.force_login(user)
    yield client
    user.delete()


def fill(kit):
    kit.backend.register(WorkerInfo("w1", {"default": 90}, "host", 7, "0.3"), 600_000_000)
    kit.backend.register(WorkerInfo("w2", {"default": 90}, "host", 8, "0.3"), 600_000_000)
    moved.taskfunc.s("cancelled").apply_async().revoke()

    def claim(worker, number, outcome, *groups):
        for n in range(number):
            moved.taskfunc.apply_async((outcome or "running", n), queue=f"g{n % 3}.sub")
        claims = kit.backend.claim(worker, dict.fromkeys(groups or ("g0", "g1", "g2"), 90)).claims
        assert len(claims) == number
        told = Failure("OSError", "no route", "Traceback (most recent call last):\n  …")
        if outcome is not None:
            ends = [Settlement(c.task.id, c.token, outcome, b"42", told) for c in claims]
            kit.backend.settle(worker, ends)

    claim("w1", 60, Outcome.FAIL)
    claim("w1", 60, Outcome.SUCCEED)
    moved.taskfunc.apply_async(("lost",), queue="one")
    kit.backend.claim("w2", {"one": 1})
    kit.backend.retire("w2", lost=True)
    for _ in range(3):
        kit.initiate_task("locked", "celery:project.moved.taskfunc", (1,), lock_key="one")
    kit.backend.claim("w1", {"locked": 3})
    for n in range(70):
        moved.taskfunc.apply_async(("queued", n), queue=f"q{n % 2}", priority=n % 3)
        moved.taskfunc.apply_async(("waiting", n), queue="later", countdown=600 + n)


def seen(client, part, **search):
    rows, answer = [], client.get(f"/admin/taskkit/{part}task/", search)
    while True:
        assert answer.status_code == 200
        listed = answer.context["cl"]
        rows += listed.result_list
        if listed.next_url is None:
            return rows
        answer = client.get(f"/admin/taskkit/{part}task/{listed.next_url}")


WANTED = {
    "failed": 60,
    "lost": 1,
    "running": 1,
    "queued": 70,
    "blocked": 2,
    "waiting": 70,
    "finished": 60,
    "cancelled": 1,
}


def test_everything_is_shown_and_can_be_done(kit, client):
    for part, number in WANTED.items():
        for search in ({}, {"q": "taskfunc"}, {"q": "name:celery:project.moved.taskfunc"}):
            rows = seen(client, part, **search)
            assert len({row.pk for row in rows}) == len(rows) == number, (part, search)
        assert seen(client, part, q="nowhere_") == []
    assert len(seen(client, "finished", q="group:g1.sub")) == 20
    assert len(seen(client, "failed", q="group:g1.sub")) == 20
    assert len(seen(client, "queued", q="group:q1")) == 35
    assert len(seen(client, "")) == sum(WANTED.values())
    priorities = [row.priority for row in seen(client, "queued", q="group:q0")]
    assert priorities == sorted(priorities, reverse=True)
    pages(kit, client)
    doing(kit, client)


def pages(kit, client):
    rows = {
        row["name"]: dict(row["counts"])
        for row in client.get("/admin/taskkit/group/").context["rows"]
    }
    assert set(rows) == {
        "g0.sub",
        "g1.sub",
        "g2.sub",
        "default",
        "one",
        "locked",
        "q0",
        "q1",
        "later",
    }
    assert (rows["g1.sub"]["failed"], rows["g1.sub"]["finished"]) == ("20", "20")
    assert (rows["locked"]["blocked"], rows["locked"]["running"]) == ("2", "1")
    (row,) = client.get("/admin/taskkit/tasksummary/").context["rows"]
    assert {state: number for state, number, _ in row["cells"] if number} == {
        state: number for state, number in WANTED.items() if state != "finished"
    }
    (worker,) = client.get("/admin/taskkit/worker/").context["cl"].result_list
    assert worker.tasks == 1
    assert client.get("/admin/taskkit/scheduleentry/").status_code == 200


MANY = """
INSERT INTO taskkit_task (id, state, grp, name, priority, due, created, retention, worker_id, began,
    done, purge_at, lock_key, failure, data)
SELECT concat(grp, '_', lpad(n, 32, '0')), state, grp, 'celery:project.moved.taskfunc', n % 5,
    1800000000000000 + n, 1, 1, NULL, NULL, IF(state > 3, n, NULL), IF(state > 3, n + 5, NULL),
    IF(state = 2, 'one', NULL), NULL, 'null'
FROM (SELECT seq AS n, concat('many', seq % 3) AS grp,
    ELT(seq % 7 + 1, 0, 1, 2, 4, 5, 6, 7) AS state FROM seq_0_to_20999) AS made
"""
"""Three thousand tasks in every state but running, in three groups."""
FEW = 500
"""Rows, for a page of 50: what is found along an index, and then read."""


def rows_read(alias):
    with connections[alias].cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())


@pytest.mark.parametrize("kit", ["mariadb"], indirect=True)
def test_every_list_follows_an_index(kit, client, settings):
    alias = settings.TASKKIT["DATABASE"]
    with connections[alias].cursor() as cursor:
        cursor.execute(MANY)
        cursor.execute("ANALYZE TABLE taskkit_task")
    for part in LISTS:
        path = f"/admin/taskkit/{part}task/"
        for page in range(3):
            before = rows_read(alias)
            listed = client.get(path).context["cl"]
            read = rows_read(alias) - before
            assert read < FEW + 6 * len(listed.result_list), (part, page, read)
            path = f"/admin/taskkit/{part}task/{listed.next_url or ''}"


def doing(kit, client):
    chosen = [row.pk for row in seen(client, "failed")[:3]]
    data = {"action": "retry_now", "_selected_action": chosen}
    client.post("/admin/taskkit/failedtask/", data)
    assert {kit.get_result(each).status for each in chosen} == {State.QUEUED}
    page = client.get(reverse("admin:taskkit_task_change", args=[chosen[0].replace("_", "_5F")]))
    assert "no route" in page.content.decode()
    client.post("/admin/taskkit/group/", {"_steer": "pause g1.sub", "until": "2h"})
    assert set(kit.backend.control().pauses) == {"g1.sub"}
