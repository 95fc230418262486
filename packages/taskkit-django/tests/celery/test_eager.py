"""CELERY_TASK_ALWAYS_EAGER and CELERY_TASK_EAGER_PROPAGATES."""

import pytest
from project import moved

from taskkit import InvalidTask
from taskkit_django.celery import EagerResult


@pytest.fixture(autouse=True)
def eager(settings):
    moved.calls.clear()
    settings.CELERY_TASK_ALWAYS_EAGER = True


def test_a_task_is_called_at_once_and_nothing_is_put(memory):
    result = moved.taskfunc.delay(1, b=2)
    assert moved.calls == [(1, 2)]
    assert isinstance(result, EagerResult)
    assert (result.result, result.get(), result.state, result.ready()) == (42, 42, "SUCCESS", True)
    result.revoke()
    assert memory.stats().count() == 0


def test_signatures_and_options_are_as_ever(memory):
    assert moved.taskfunc.s(1).set(queue="x", countdown=60).apply_async().result == 42
    assert moved.task_bound.delay("x").result[3] == "x"
    assert moved.task_async.delay("ab").result == "abab"


def test_an_error_is_in_the_result(memory):
    result = moved.task_with_raise.delay("x")
    assert result.failed()
    assert isinstance(result.result, KeyError)
    assert "KeyError" in result.traceback
    with pytest.raises(KeyError):
        result.get()


def test_an_error_comes_out_where_that_is_wanted(memory, settings):
    settings.CELERY_TASK_EAGER_PROPAGATES = True
    with pytest.raises(KeyError):
        moved.task_with_raise.delay("x")


def test_what_could_not_be_stored_is_refused_in_tests_too(memory):
    with pytest.raises(InvalidTask, match="builtins.object"):
        moved.taskfunc.delay(object())
