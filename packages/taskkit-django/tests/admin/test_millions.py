"""Every list of the admin on a million tasks: few queries, and each looks at few rows."""

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from project.rows import SHAPES, empty, fill

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(300)]

LISTS = ["failed", "lost", "running", "queued", "blocked", "waiting", "finished", "cancelled"]
PAGES = [
    *[f"{part}task/" for part in LISTS],
    *[f"{part}task/?q=name:shop.tasks.t3" for part in LISTS],
    *[f"{part}task/?q=nowhere" for part in LISTS],
    *[f"{part}task/?q=group:g1" for part in LISTS],
    "task/",
    "tasksummary/",
    "group/",
    "group/?after=g.15",
    "worker/",
]
MOST_QUERIES = 10
MOST_STEPS = 3_000_000
"""Of SQLite's virtual machine, for one page: to look at a million rows it takes ten million."""


@pytest.fixture(scope="module", params=SHAPES)
def million(request, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        fill(request.param)
        yield request.param
        empty()


@pytest.fixture
def client_of_admin(million, admin_client):
    return admin_client


@pytest.fixture
def steps():
    """Count what SQLite does."""
    counted = [0]

    def count():
        counted[0] += 1000

    connection.ensure_connection()
    connection.connection.set_progress_handler(count, 1000)
    yield counted
    connection.connection.set_progress_handler(None, 0)


@pytest.mark.parametrize("page", PAGES)
def test_a_page(client_of_admin, steps, page):
    client_of_admin.get("/admin/taskkit/workertask/")  # permissions, content types
    steps[0] = 0
    with CaptureQueriesContext(connection) as queries:
        answer = client_of_admin.get(f"/admin/taskkit/{page}")
    assert answer.status_code == 200
    told = "\n".join(query["sql"][:600] for query in queries)
    assert len(queries) <= MOST_QUERIES, told
    assert steps[0] <= MOST_STEPS, told


@pytest.mark.parametrize("part", LISTS)
def test_a_page_far_away_costs_what_the_first_one_does(client_of_admin, steps, part, million):
    answer = client_of_admin.get(f"/admin/taskkit/{part}task/")
    for _ in range(5):
        listed = answer.context["cl"]
        if listed.next_url is None:
            break
        steps[0] = 0
        with CaptureQueriesContext(connection) as queries:
            answer = client_of_admin.get(f"/admin/taskkit/{part}task/{listed.next_url}")
        assert len(queries) <= MOST_QUERIES
        assert steps[0] <= MOST_STEPS


def test_one_task(client_of_admin, steps):
    from taskkit_django.models import Task

    one = Task.objects.values_list("id", flat=True).first()
    steps[0] = 0
    with CaptureQueriesContext(connection) as queries:
        answer = client_of_admin.get(reverse("admin:taskkit_task_change", args=[quote(one)]))
    assert answer.status_code == 200
    assert len(queries) <= MOST_QUERIES
    assert steps[0] <= MOST_STEPS
