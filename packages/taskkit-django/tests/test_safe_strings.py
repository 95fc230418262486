"""What Django's templates render to is text to every decorator, as argument and as result."""

import pytest
from django.utils.safestring import SafeString, mark_safe
from project import asked, moved

from taskkit_django import task


@task
def typed(text: str) -> str:
    return mark_safe(text + "!")


@task
def untyped(text):
    return mark_safe(text["page"][0] + "!")


@pytest.fixture
def page():
    return mark_safe("<b>hi</b>")


def ended(kit, work, task_id):
    work()
    value = kit.get_result(task_id).get(timeout=0)
    assert type(value) is str
    return value


def test_taskkits_own(memory, work, page):
    assert isinstance(page, SafeString)
    assert ended(memory, work, typed.delay(page).id) == "<b>hi</b>!"
    assert ended(memory, work, untyped.delay({"page": [page]}).id) == "<b>hi</b>!"


def test_django_tasks(memory, work, page):
    assert ended(memory, work, asked.mail.enqueue(page).id) == "<b>hi</b>"


def test_the_celery_style_api(memory, work, page):
    result = moved.gives_back.delay({page: page})
    work()
    assert result.get(timeout=0) == {"<b>hi</b>": "<b>hi</b>"}
