"""Behind PgBouncer, which gives each transaction to whichever session is free."""

from urllib.parse import urlsplit

import pytest
import works
from django.db import connections, transaction

from taskkit_conformance.servers import pgbouncer

pytestmark = [
    pytest.mark.skipif(pgbouncer.find() is None, reason=pgbouncer.HOW),
    pytest.mark.parametrize("place", ["postgres"], indirect=True),
]


@pytest.fixture
def pooled(place):
    """Return the settings of a database behind a pooler of this test's own."""
    url = f"postgresql://{place['USER']}@{place['HOST']}:{place['PORT']}/{place['NAME']}"
    with pgbouncer.pooled(pgbouncer.find(), url) as pooled_url:
        port = urlsplit(pooled_url).port
        yield {**place, "PORT": str(port), "DISABLE_SERVER_SIDE_CURSORS": True}


def test_tasks_run(pooled, project, settings):
    alias = project(pooled)
    settings.TASKKIT = {"DATABASE": alias, "NOTIFY": False}
    from taskkit_django.kit import kit as project_kit

    kit = project_kit()
    with kit.running({"default": 8}):
        results = works.queries.delay_many([(alias,)] * 200)
        assert [result.get(60) for result in results] == [1] * 200
        with transaction.atomic(using=alias):
            result = works.note.delay("in a transaction")
        assert result.get(30) == "in a transaction"
    with pytest.raises(LookupError), transaction.atomic(using=alias):
        result = works.note.delay("never")
        raise LookupError
    assert kit.backend.get([result.id])[result.id] is None
    connections[alias].close()


def test_a_site_behind_it_puts_tasks_and_workers_without_it_are_told(pooled, place, project):
    direct = project(place)
    site = project(pooled, migrate=False)
    from taskkit_django.backend.opening import open_backend
    from taskkit_django.kit import kit as project_kit

    kit = project_kit()
    assert kit.backend.capabilities().wakeup == "push"
    for _ in range(20):  # more than it takes to prepare a statement
        works.note.delay("x")
    with transaction.atomic(using=site):
        works.note.delay("in a transaction")
    assert open_backend(direct).count()[0].count == 21
    connections[site].close()
