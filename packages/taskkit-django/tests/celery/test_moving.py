"""A project of django-taskq moves by changing one import: the same file, before and after."""

import importlib.util
import inspect
import sys
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from uuid import UUID

import pytest

BEFORE = """
import datetime
from decimal import Decimal
from uuid import UUID

from django_taskq.celery import AsyncResult, EagerResult, Retry, shared_task

seen = []


class Busy(Exception):
    pass


@shared_task(
    autoretry_for=(Busy,),
    dont_autoretry_for=(ValueError,),
    retry_kwargs={"max_retries": 10, "countdown": 5},
    retry_backoff=2,
    retry_backoff_max=60,
    retry_jitter=False,
    default_retry_delay=30,
    queue="mail",
)
def send(to, when=None, price=Decimal("0"), ident=None):
    seen.append((to, when, price, ident))
    if to == "busy":
        raise Busy(to)


@shared_task()
def by_hand(to):
    try:
        raise Busy(to)
    except Busy as exc:
        by_hand.retry(exc=exc, countdown=60, max_retries=1)


def use():
    now = datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.timezone.utc)
    result = send.delay("a", when=now, price=Decimal("1.50"), ident=UUID(int=7))
    assert isinstance(result, AsyncResult) and isinstance(result.id, UUID)
    later = send.s("b").apply_async(countdown=60)
    AsyncResult(id=str(later.id)).revoke()
    send.apply_async(args=("c",), kwargs={"price": Decimal(2)}, expires=3600, ignore_result=True)
    send.s("busy").set(queue="slow").delay()
    by_hand.delay("x")
    return now
"""
AFTER = BEFORE.replace("from django_taskq.celery import", "from taskkit_django.celery import")


@pytest.fixture
def moved(tmp_path, monkeypatch):
    assert BEFORE.count("django_taskq") == 1
    (tmp_path / "moved_project.py").write_text(AFTER)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module("moved_project")
    sys.modules.pop("moved_project", None)


def test_it_does_what_it_did(moved, memory, work):
    now = moved.use()
    work()
    assert ("a", now, Decimal("1.50"), UUID(int=7)) in moved.seen
    assert sorted(call[0] for call in moved.seen) == ["a", "busy", "c"]
    found = {record.task.group: record for record in memory.find(state="waiting").records}
    assert set(found) == {"slow", "default"}
    for record in found.values():
        assert record.task.retry_count == 1
        assert "Busy" in record.history[0].failure.type + record.history[0].failure.message
    (cancelled,) = memory.find(state="cancelled").records
    assert cancelled.task.group == "mail"


@pytest.mark.skipif(
    importlib.util.find_spec("django_taskq") is None, reason="django-taskq is not installed"
)
def test_every_option_of_django_taskq_is_one_of_ours():
    from taskkit_django.celery import decorator

    stub = importlib.util.find_spec("django_taskq").submodule_search_locations[0]
    declared = Path(stub, "celery.pyi").read_text("utf-8")
    part = declared[declared.rindex("def shared_task(") :]
    options = [line.split(":")[0].strip() for line in part.splitlines() if "= ..." in line]
    assert len(options) > 5
    known = {*decorator._DEFAULTS, *decorator._CORE}
    assert set(options) <= known
    assert inspect.isfunction(decorator.shared_task)
