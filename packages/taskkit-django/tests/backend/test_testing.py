"""Tasks in a project's own tests."""

from datetime import timedelta

import pytest
import works
from django.contrib.contenttypes.models import ContentType
from django.test import TestCase, TransactionTestCase

from taskkit.errors import TaskFailed, TaskkitError
from taskkit.task import State
from taskkit_django import task
from taskkit_django.kit import kit
from taskkit_django.testing import run_tasks


@task
def writes(name):
    return ContentType.objects.create(app_label="tests", model=name).pk


@task
async def writes_async(name):
    found = await ContentType.objects.acreate(app_label="tests", model=name)
    return found.pk


@task
def goes_on_for_ever():
    goes_on_for_ever.delay()


@task
def breaks_the_transaction():
    ContentType.objects.create(app_label="tests", model="undone")
    ContentType.objects.create(app_label="tests", model="undone")


class InATransaction(TestCase):
    """Everything is undone after each test, as always."""

    def setUp(self):
        works.seen.clear()

    def test_what_was_put_is_run_without_any_commit(self):
        result = writes.delay("one")
        [record] = run_tasks()
        assert record.state is State.SUCCEEDED
        assert ContentType.objects.get(model="one").pk == result.get(1)

    def test_what_tasks_put_is_run_too(self):
        works.puts_another.delay("a")
        assert [record.task.name for record in run_tasks()] == ["works.puts_another", "works.note"]
        assert works.seen == ["a!"]

    def test_coroutines_see_the_transaction(self):
        ContentType.objects.create(app_label="tests", model="before")
        result = writes_async.delay("async")
        run_tasks()
        assert ContentType.objects.get(model="async").pk == result.get(1)

    def test_a_failure_is_raised(self):
        @works.task(name="fails at once")
        def fails():
            raise LookupError("gone")

        fails.delay()
        with pytest.raises(TaskFailed, match="gone"):
            run_tasks()
        fails.delay()
        [record] = run_tasks(raises=False)
        assert record.state is State.FAILED

    def test_what_is_due_later_is_run_if_asked_for(self):
        works.stumbles.delay("x")
        assert run_tasks() == []
        with pytest.raises(TaskFailed):
            run_tasks(ahead=timedelta(hours=2))
        assert works.seen == ["x", "x"]

    def test_a_task_that_breaks_the_transaction_breaks_only_itself(self):
        breaks_the_transaction.delay()
        writes.delay("after")
        [first, second] = run_tasks(raises=False)
        assert (first.state, second.state) == (State.FAILED, State.SUCCEEDED)
        assert not ContentType.objects.filter(model="undone").exists()

    def test_some_groups_only(self):
        works.note.options(group="mail.big").delay("mail")
        works.note.delay("other")
        run_tasks("mail")
        assert works.seen == ["mail"]

    def test_endless_ones_end(self):
        goes_on_for_ever.delay()
        with pytest.raises(TaskkitError, match="put each other for ever"):
            run_tasks(limit=20)

    def test_nothing_is_left_of_the_worker(self):
        works.note.delay("x")
        run_tasks()
        assert kit().stats().workers == []


class WithoutATransaction(TransactionTestCase):
    """The same, committed."""

    def test_what_was_put_is_run(self):
        result = writes.delay("two")
        run_tasks()
        assert result.get(1) == ContentType.objects.get(model="two").pk
