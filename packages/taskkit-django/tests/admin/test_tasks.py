"""What people see of tasks, and do to them."""

import json
import re

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse
from project import asked, moved

from taskkit import State
from taskkit.records import Outcome, Settlement, WorkerInfo
from taskkit.task import Failure
from taskkit_django.models import Task

TRACE = 'Traceback (most recent call last):\n  File "mail.py", line 7\nOSError: no route to <host>'


@pytest.fixture
def claimed(kit):
    """Claim what is queued in some groups, as a worker would."""
    kit.backend.register(WorkerInfo("w1", {"default": 9}, "host", 7, "0.3"), 60_000_000)

    def claim(*groups):
        return kit.backend.claim("w1", dict.fromkeys(groups or ("default",), 50)).claims

    return claim


@pytest.fixture
def failed(kit, claimed):
    """A task that has failed."""

    def make(call=lambda: moved.taskfunc.delay(1, b="x"), outcome=Outcome.FAIL):
        task_id = call().task_id
        (claim,) = claimed()
        told = Failure("OSError", "no route to <host>", TRACE)
        kit.backend.settle("w1", [Settlement(task_id, claim.token, outcome, b"", told)])
        return task_id

    return make


def url_of(task_id):
    return reverse("admin:taskkit_task_change", args=[quote(task_id)])


def state(kit, task_id):
    return kit.get_result(task_id).status


def texts(answer):
    return [str(message) for message in answer.context["messages"]]


# ---- looking


def test_a_list_shows_what_failed_and_why(browse, failed):
    failed()
    page = browse("failedtask").content.decode()
    for shown in ("project.moved.taskfunc", "OSError", "no route to &lt;host&gt;", "1, b=x"):
        assert shown in page


def test_each_part_shows_its_own(kit, browse, claimed, failed):
    failed()
    moved.taskfunc.delay("running")
    claimed()
    moved.taskfunc.delay("queued")
    moved.taskfunc.apply_async(("waiting",), countdown=600)
    moved.taskfunc.delay("cancelled").revoke()
    for part, argument in (
        ("failed", "1, b=x"),
        ("running", "running"),
        ("queued", "queued"),
        ("waiting", "waiting"),
        ("cancelled", "cancelled"),
    ):
        shown = browse(f"{part}task").context["cl"].result_list
        assert [row.get_state_display() for row in shown] == [part], part
        assert argument in browse(f"{part}task").content.decode()
    assert len(browse("task").context["cl"].result_list) == 5


def test_blocked_and_finished_and_lost(kit, browse, claimed, failed):
    for _ in range(3):
        kit.initiate_task("default", "celery:project.moved.taskfunc", (1,), lock_key="one")
    (claim,) = claimed()
    assert len(browse("blockedtask").context["cl"].result_list) == 2
    kit.backend.settle("w1", [Settlement(claim.task.id, claim.token, Outcome.SUCCEED, b"42")])
    (row,) = browse("finishedtask").context["cl"].result_list
    assert row.pk == claim.task.id
    kit.backend.retire("w1", lost=True)
    assert browse("worker").status_code == 200


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("name:celery:project.moved.taskfunc", 2),
        ("taskfunc_q", 1),
        ("TASKFUNC", 3),
        ("100%", 0),
        ("_", 1),
        ("group:bar", 1),
        ("group:nobody", 0),
        ("group:default name:celery:project.moved.taskfunc", 2),
    ],
)
def test_searching(kit, browse, term, found):
    moved.taskfunc.delay(1)
    moved.taskfunc.delay(2)
    moved.taskfunc_queue.delay(3)
    for part in ("queuedtask", "task"):
        assert len(browse(part, q=term).context["cl"].result_list) == found


def test_searching_by_id(kit, browse):
    one, _other = moved.taskfunc.delay(1), moved.taskfunc.delay(2)
    for term in (one.task_id, f"id:{one.task_id}", str(one.id), one.id.hex):
        (row,) = browse("queuedtask", q=term).context["cl"].result_list
        assert row.pk == one.task_id


@pytest.mark.parametrize("search", [{}, {"q": "taskfunc"}])
@pytest.mark.parametrize("part", ["queued", "waiting", "failed", "finished"])
def test_pages_show_every_task_once(kit, browse, claimed, part, search):
    wait = 600 if part == "waiting" else None
    wanted = {
        moved.taskfunc.apply_async((n,), countdown=wait, queue=f"g{n % 3}", priority=n % 5).task_id
        for n in range(120)
    }
    if part in ("failed", "finished"):
        outcome = Outcome.FAIL if part == "failed" else Outcome.SUCCEED
        while claims := claimed("g0", "g1", "g2"):
            ends = [Settlement(claim.task.id, claim.token, outcome, b"1") for claim in claims]
            kit.backend.settle("w1", ends)
    seen, answer = [], browse(f"{part}task", **search)
    while True:
        listed = answer.context["cl"]
        seen += [row.pk for row in listed.result_list]
        if listed.next_url is None:
            break
        answer = answer.client.get(f"/admin/taskkit/{part}task/{listed.next_url}")
    assert len(seen) == 120
    assert set(seen) == wanted


def test_a_page_that_begins_nowhere_is_refused(kit, browse):
    answer = browse("failedtask", after="[1]")
    assert answer.redirect_chain


def test_one_task(kit, browse, failed, admin_client):
    task_id = failed()
    page = admin_client.get(url_of(task_id)).content.decode()
    for shown in ("OSError", "no route to &lt;host&gt;", "mail.py", "failed", "w1", task_id):
        assert shown in page
    assert page.count("mail.py") == 2  # why, and in the attempt


def test_what_nobody_knows_leads_away(admin_client, kit):
    answer = admin_client.get(url_of("default_" + "0" * 32), follow=True)
    assert "doesn’t exist" in texts(answer)[0]


# ---- secrets


def test_secrets_are_hidden(kit, browse, admin_client):
    secret = {"password": "hunter2", "deep": [{"api_key": "the-only-key"}], "to": "a@b.c"}
    task_id = moved.taskfunc.delay(secret, b="x").task_id
    for page in (browse("queuedtask"), admin_client.get(url_of(task_id))):
        text = page.content.decode()
        assert "hunter2" not in text
        assert "the-only-key" not in text
        assert "a@b.c" in text


@pytest.mark.parametrize(
    "put",
    [
        lambda: moved.logs_in.delay("alice", "hunter2", "code").task_id,
        lambda: moved.logs_in.delay("alice", password="hunter2").task_id,
        lambda: asked.logs_in.enqueue("alice", "hunter2").id,
    ],
)
def test_secrets_among_positional_arguments_are_hidden(kit, browse, admin_client, put):
    task_id = put()
    for page in (browse("queuedtask"), admin_client.get(url_of(task_id))):
        assert "hunter2" not in page.content.decode()
        assert "alice" in page.content.decode()


def test_arguments_that_fit_no_function_are_named_by_position(kit, admin_client):
    both = {"args": ["one", "two"], "kwargs": {"password": "hunter2", "user": "alice"}}
    for name in ("celery:project.moved.logs_in", "celery:project.gone"):
        task_id = moved.taskfunc.delay(1).task_id
        Task.objects.filter(pk=task_id).update(name=name, data=json.dumps(both).encode())
        shown = dict(admin_client.get(url_of(task_id)).context["shown"].arguments)
        assert shown == {"0": "one", "1": "two", "password": "•••••", "user": "alice"}


def test_secrets_among_labels_are_hidden(kit, admin_client):
    labels = {"api_token": "hunter2", "team": "blue"}
    task_id = kit.initiate_task("default", "celery:project.moved.taskfunc", (1,), labels=labels).id
    page = admin_client.get(url_of(task_id)).content.decode()
    assert "hunter2" not in page
    assert "blue" in page


def test_a_project_hides_what_it_likes(kit, browse, settings):
    settings.TASKKIT = {**settings.TASKKIT, "REDACT": "project.kits.hide_all"}
    moved.taskfunc.delay("open")
    assert "nothing to see" in browse("queuedtask").content.decode()


def test_large_and_strange_data_is_shown(kit, browse, admin_client):
    large = moved.taskfunc.delay("x" * 50_000).task_id
    assert "50,0" in browse("queuedtask").content.decode()
    assert "characters more" in admin_client.get(url_of(large)).content.decode()
    Task.objects.filter(pk=large).update(data=b"\xff\xfe")
    assert admin_client.get(url_of(large)).status_code == 200
    assert browse("queuedtask").status_code == 200


# ---- doing


def test_run_again_from_a_row(kit, admin_client, failed):
    task_id = failed()
    answer = admin_client.post(
        "/admin/taskkit/failedtask/", {"_operate": f"retry {task_id}"}, follow=True
    )
    assert texts(answer) == ["1 task will run again."]
    assert state(kit, task_id) is State.QUEUED
    (entry,) = LogEntry.objects.all()
    assert (entry.object_id, entry.action_flag) == (task_id, CHANGE)
    assert entry.content_type == ContentType.objects.get_for_model(Task)
    assert "back in the queue" in entry.get_change_message()


def act(client, part, action, ids, **more):
    data = {"action": action, "_selected_action": ids, **more}
    return client.post(f"/admin/taskkit/{part}task/", data, follow=True)


def test_run_again_later(kit, admin_client, failed):
    ids = [failed(), failed()]
    answer = act(admin_client, "failed", "retry_later", ids, delay="1h 30m")
    assert texts(answer) == ["2 tasks will run again in 1h 30m."]
    assert {state(kit, each) for each in ids} == {State.WAITING}
    assert LogEntry.objects.count() == 2
    answer = act(admin_client, "waiting", "retry_now", ids)
    assert {state(kit, each) for each in ids} == {State.QUEUED}


def test_a_wait_that_nobody_understands(kit, admin_client, failed):
    task_id = failed()
    answer = act(admin_client, "failed", "retry_later", [task_id], delay="soon")
    assert "expected a time such as 90s" in texts(answer)[0]
    assert state(kit, task_id) is State.FAILED


def test_cancel(kit, admin_client, claimed):
    queued, running = moved.taskfunc.delay(1).task_id, None
    answer = act(admin_client, "queued", "cancel_tasks", [queued])
    assert texts(answer) == ["1 task cancelled."]
    running = moved.taskfunc.delay(2).task_id
    claimed()
    answer = act(admin_client, "running", "cancel_tasks", [running])
    assert "asked to end" in texts(answer)[0]
    assert kit.get_result(running).record.cancelling
    assert LogEntry.objects.count() == 2


def test_delete(kit, admin_client, failed):
    ids = [failed(), failed()]
    answer = act(admin_client, "failed", "delete_selected", ids)
    assert texts(answer) == ["2 tasks deleted."]
    assert Task.objects.count() == 0
    assert LogEntry.objects.filter(action_flag=DELETION).count() == 2


def test_what_cannot_be_done_is_told(kit, admin_client, claimed):
    task_id = moved.taskfunc.delay(1).task_id
    (claim,) = claimed()
    kit.backend.settle("w1", [Settlement(task_id, claim.token, Outcome.SUCCEED, b"1")])
    answer = act(admin_client, "failed", "retry_now", [task_id, "default_" + "0" * 32])
    assert any("cannot be run again" in text for text in texts(answer))
    assert any("unknown" in text for text in texts(answer))
    assert LogEntry.objects.count() == 0


def test_the_buttons_of_one_task(kit, admin_client, failed):
    task_id = failed()
    admin_client.post(url_of(task_id), {"_operate": "retry", "delay": "10m"})
    assert state(kit, task_id) is State.WAITING
    admin_client.post(url_of(task_id), {"_operate": "cancel"})
    assert state(kit, task_id) is State.CANCELLED
    assert (
        "Put back in the queue in 10m"
        in admin_client.get(
            reverse("admin:taskkit_task_history", args=[quote(task_id)])
        ).content.decode()
    )
    answer = admin_client.post(url_of(task_id), {"_operate": "delete"}, follow=True)
    assert texts(answer)[-1] == "1 task deleted."


def test_the_history_of_attempts_survives_running_again(kit, admin_client, failed):
    task_id = failed()
    admin_client.post(url_of(task_id), {"_operate": "retry"})
    page = admin_client.get(url_of(task_id)).content.decode()
    assert "Why the last attempt failed" in page


def test_django_s_own_page_for_deleting_deletes_nothing_around_the_kit(kit, admin_client, failed):
    task_id = failed()
    page = url_of(task_id)
    for answer in (
        admin_client.get(page.replace("/change/", "/delete/")),
        admin_client.post(page.replace("/change/", "/delete/"), {"post": "yes"}, follow=True),
    ):
        assert answer.status_code in (200, 302)
    assert answer.redirect_chain[-1][0] == "../change/"
    assert 'value="delete"' in answer.content.decode()
    assert state(kit, task_id) is State.FAILED


def test_pages_of_another_site_lead_to_that_site(kit, admin_client, failed):
    task_id = failed()
    for part in ("failedtask", "tasksummary", "group", "scheduleentry", "worker"):
        page = admin_client.get(f"/other/taskkit/{part}/")
        assert page.status_code == 200
        assert 'href="/other/' in page.content.decode()
        assert "/admin/" not in re.sub(r"/static/[^\"]*", "", page.content.decode()), part
    page = reverse("admin:taskkit_task_change", args=[quote(task_id)], current_app="other")
    assert "/admin/" not in re.sub(r"/static/[^\"]*", "", admin_client.get(page).content.decode())
    answer = admin_client.post(page, {"_operate": "delete"})
    assert answer.headers["Location"] == "/other/taskkit/failedtask/"


# ---- permissions


@pytest.fixture
def somebody(db):
    """A client of somebody on the staff with some permissions."""

    def make(*names):
        user = User.objects.create_user(f"user{User.objects.count()}", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        client = Client()
        client.force_login(user)
        return client

    return make


def test_without_permission_there_is_nothing(kit, somebody, failed):
    task_id = failed()
    client = somebody()
    assert "taskkit" not in client.get("/admin/").content.decode()
    for path in ("failedtask/", "task/", "tasksummary/", "group/", "scheduleentry/", "worker/"):
        assert client.get(f"/admin/taskkit/{path}").status_code == 403, path
    assert client.get(url_of(task_id)).status_code == 403


def test_who_may_look_may_not_touch(kit, somebody, failed):
    task_id = failed()
    client = somebody("view_task")
    page = client.get("/admin/taskkit/failedtask/")
    assert page.status_code == 200
    assert client.get("/admin/taskkit/tasksummary/").status_code == 200
    for what in ("retry", "delete", "cancel"):
        row = client.post("/admin/taskkit/failedtask/", {"_operate": f"{what} {task_id}"})
        assert row.status_code == 403
        assert client.post(url_of(task_id), {"_operate": what}).status_code == 403
    act(client, "failed", "retry_now", [task_id])
    assert state(kit, task_id) is State.FAILED
    assert "_operate" not in page.content.decode()


def test_who_may_change_may_not_delete(kit, somebody, failed):
    task_id = failed()
    client = somebody("change_task", "view_task")
    act(client, "failed", "delete_selected", [task_id])
    assert state(kit, task_id) is State.FAILED
    act(client, "failed", "retry_now", [task_id])
    assert state(kit, task_id) is State.QUEUED


# ---- the others


def test_the_summary(kit, browse, failed):
    failed()
    moved.taskfunc.delay(1)
    asked.mail.enqueue("x")
    answer = browse("tasksummary")
    rows = {row["name"]: row["cells"] for row in answer.context["rows"]}
    cells = {state: (number, url) for state, number, url in rows["project.moved.taskfunc"]}
    assert cells["failed"][0] == cells["queued"][0] == 1
    assert (
        len(browse("failedtask", q="name:celery:project.moved.taskfunc").context["cl"].result_list)
        == 1
    )
    assert rows["project.asked.mail"]


def test_groups(kit, browse, admin_client):
    for n in range(3):
        moved.taskfunc.apply_async((n,), queue="a")
    moved.taskfunc.apply_async((1,), queue="b.c", countdown=60)
    kit.configure("limited", max_running=3, rate=(5, 60))
    rows = {row["name"]: row for row in browse("group").context["rows"]}
    assert dict(rows["a"]["counts"])["queued"] == "3"
    assert dict(rows["b.c"]["counts"])["waiting"] == "1"
    assert rows["limited"]["limits"] == "3 at a time, 5 in 60 s"
    admin_client.post("/admin/taskkit/group/", {"_steer": "pause a", "until": "2h"})
    rows = {row["name"]: row for row in browse("group").context["rows"]}
    assert rows["a"]["paused"]
    assert "hour" in str(rows["a"]["until"])
    assert not rows["b.c"]["paused"]
    admin_client.post("/admin/taskkit/group/", {"_steer": "resume a"})
    assert kit.backend.control().pauses == {}
    admin_client.post("/admin/taskkit/group/", {"_steer": "pause *"})
    assert set(kit.backend.control().pauses) == {"*"}
    assert [entry.object_repr for entry in LogEntry.objects.order_by("pk")] == [
        "a",
        "a",
        "All groups",
    ]


def test_groups_have_pages(kit, browse):
    for n in range(90):
        moved.taskfunc.apply_async((n,), queue=f"g{n:03d}")
    names, answer = [], browse("group")
    while True:
        names += [row["name"] for row in answer.context["rows"]]
        if answer.context["next"] is None:
            break
        answer = browse("group", after=answer.context["next"])
    assert names == [f"g{n:03d}" for n in range(90)]


def test_who_may_not_steer_groups(kit, somebody):
    client = somebody("view_group")
    assert client.get("/admin/taskkit/group/").status_code == 200
    assert client.post("/admin/taskkit/group/", {"_steer": "pause a"}).status_code == 403


def test_workers(kit, browse, claimed):
    moved.taskfunc.delay(1)
    claimed()
    page = browse("worker").content.decode()
    for shown in ("w1", "host", "default × 9", "0.3"):
        assert shown in page
    (row,) = browse("worker").context["cl"].result_list
    assert row.tasks == 1
    assert json.dumps(row.info)
