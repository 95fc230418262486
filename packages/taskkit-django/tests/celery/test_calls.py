"""Code written for django-taskq, after changing the import: how tasks are put."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from project import moved

from taskkit import InvalidTask, State
from taskkit.clock import to_datetime
from taskkit.errors import InvalidInput
from taskkit_django.celery import AsyncResult

# as in a user's own tests: what a call has put
PUT = {
    "delay, args": lambda f: f.delay(1, 2),
    "delay, both": lambda f: f.delay(1, b=2),
    "delay, kwargs": lambda f: f.delay(a=1, b=2),
    "apply_async, args": lambda f: f.apply_async(args=(1, 2)),
    "apply_async, args by position": lambda f: f.apply_async((1, 2)),
    "apply_async, both": lambda f: f.apply_async(args=(1,), kwargs={"b": 2}),
    "apply_async, kwargs": lambda f: f.apply_async(kwargs={"a": 1, "b": 2}),
    "s, delay": lambda f: f.s(1, 2).delay(),
    "s, kwargs, delay": lambda f: f.s(a=1, b=2).delay(),
    "s, apply_async": lambda f: f.s(1, b=2).apply_async(),
    "si": lambda f: f.si(1, 2).apply_async(),
}


@pytest.fixture(autouse=True)
def no_calls():
    moved.calls.clear()


@pytest.mark.parametrize("put", PUT.values(), ids=PUT)
def test_every_way_to_call_it_calls_it_with_the_same_arguments(memory, work, put):
    put(moved.taskfunc)
    work()
    assert moved.calls == [(1, 2)]


def test_it_is_still_the_function(memory):
    assert moved.taskfunc(1, b=2) == 42
    assert moved.taskfunc.__name__ == "taskfunc"
    assert moved.taskfunc.name == "project.moved.taskfunc"
    assert moved.taskfunc.s(1, b=3)() == 42
    assert repr(moved.taskfunc.s(1, b=3)) == "project.moved.taskfunc(1, b=3)"
    assert memory.stats().count() == 0


def task_of(memory, result):
    return memory.get_result(result.task_id).record.task


@pytest.mark.parametrize(
    ("put", "queue"),
    [
        (lambda: moved.taskfunc.delay(1), "default"),
        (lambda: moved.taskfunc.apply_async((1,), queue="foo"), "foo"),
        (lambda: moved.taskfunc_queue.delay(1, b=2), "bar"),
        (lambda: moved.taskfunc_queue.apply_async((1,), {"b": 2}, queue="foo"), "foo"),
        (lambda: moved.taskfunc_queue.s(1).apply_async(), "bar"),
        (lambda: moved.taskfunc_queue.s(1).set(queue="foo").apply_async(), "foo"),
        (lambda: moved.taskfunc_queue.s(1).set(queue="foo").apply_async(queue="fee"), "fee"),
    ],
)
def test_the_queue_is_the_last_that_was_said(memory, put, queue):
    assert task_of(memory, put()).group == queue


def about(instant, moment):
    return abs(to_datetime(instant) - moment) < timedelta(seconds=5)


def test_when_it_runs(memory):
    now = timezone.now()
    soon = now + timedelta(minutes=1)
    assert about(task_of(memory, moved.taskfunc.delay(1)).due, now)
    assert about(task_of(memory, moved.taskfunc.apply_async((1,), countdown=60)).due, soon)
    with pytest.raises(InvalidInput, match="countdown: expected .* found '60'"):
        moved.taskfunc.apply_async((1,), countdown="60")
    assert about(task_of(memory, moved.taskfunc.apply_async((1,), eta=soon)).due, soon)
    naive = timezone.make_naive(soon, timezone.get_default_timezone())
    assert about(task_of(memory, moved.taskfunc.apply_async((1,), eta=naive)).due, soon)


def test_when_it_expires(memory):
    soon = timezone.now() + timedelta(minutes=1)
    for expires in (60, 60.0, soon, soon.astimezone(UTC)):
        task = task_of(memory, moved.taskfunc.apply_async((1,), expires=expires))
        assert about(task.expires, soon)
    assert task_of(memory, moved.taskfunc.delay(1)).expires is None


def test_what_has_expired_is_never_run(memory, work):
    result = moved.taskfunc.apply_async((1,), expires=timezone.now() - timedelta(seconds=1))
    work()
    assert moved.calls == []
    assert result.state == "REVOKED"


def test_options_that_mean_nothing_here_are_accepted(memory):
    moved.taskfunc.apply_async((1,), ignore_result=True, add_to_parent=False, serializer="pickle")


def test_options_that_would_be_missed_are_refused(memory):
    with pytest.raises(InvalidTask, match="'link'"):
        moved.taskfunc.apply_async((1,), link=moved.taskfunc.s(2))
    assert memory.stats().count() == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda: moved.taskfunc.apply_async(5), "args: expected a list or tuple .* found 5"),
        (lambda: moved.taskfunc.apply_async("ab"), "args: expected a list or tuple .* 'ab'"),
        (lambda: moved.taskfunc.apply_async((), [1]), "kwargs: expected a dict .* found .1."),
        (lambda: moved.taskfunc.apply((), [1]), "kwargs: expected a dict .* found .1."),
        (lambda: moved.taskfunc.apply_async((1,), eta="tomorrow"), "eta: expected a datetime"),
        (lambda: moved.taskfunc.retry(eta="tomorrow"), "eta: expected a datetime"),
        (lambda: moved.taskfunc.apply_async((1,), task_id="my-id"), "task_id: expected a UUID"),
        (lambda: AsyncResult("my-id"), "id: expected a UUID, found 'my-id'"),
        (lambda: AsyncResult("default_" + "g" * 32), "id: expected a UUID, found 'ggg"),
        (lambda: AsyncResult(5), "id: expected a UUID, found 5"),
    ],
)
def test_what_cannot_be_meant_is_refused(memory, wrong, told):
    with pytest.raises(InvalidInput, match=told):
        wrong()
    assert memory.stats().count() == 0


def test_taskkits_own_options_hold(memory):
    task = task_of(memory, moved.task_unique.delay(5, note="a"))
    assert (task.priority, task.timeout, task.on_lost) == (7, 30, "keep")
    again = moved.task_unique.apply_async(kwargs={"number": 5}, priority=-3)
    assert again.task_id == task.id
    assert memory.stats().count(state=State.QUEUED) == 1
    assert moved.task_unique.delay(6).task_id != task.id


def test_an_id_of_ones_own_is_put_once(memory):
    mine = uuid4()
    first = moved.taskfunc.apply_async((1,), task_id=mine)
    again = moved.taskfunc.apply_async((1,), task_id=str(mine))
    assert first == again
    assert first.id == mine
    assert memory.stats().count() == 1


# ---- ids, and what is done with them


def test_an_id_is_a_uuid_and_leads_back_to_the_task(memory):
    result = moved.taskfunc_queue.delay(1)
    assert isinstance(result.id, UUID)
    for handed_on in (result.id, str(result.id), result.id.hex, result.task_id):
        assert AsyncResult(handed_on).task_id == result.task_id
        assert AsyncResult(id=handed_on).state == "PENDING"


def test_an_id_leads_to_a_task_in_a_queue_that_nothing_declares(memory):
    result = moved.taskfunc.apply_async((1,), queue="said once")
    assert AsyncResult(result.id).task_id == result.task_id


@pytest.mark.parametrize(
    "of", [lambda r: r, lambda r: AsyncResult(r.id), lambda r: AsyncResult(str(r.id))]
)
def test_a_revoked_task_is_never_run(memory, work, of):
    result = moved.taskfunc.apply_async((1,))
    of(result).revoke()
    work()
    assert moved.calls == []
    assert result.state == "REVOKED"


def test_to_revoke_what_is_over_or_unknown_is_no_error(memory, work):
    result = moved.taskfunc.delay(1)
    work()
    result.revoke()
    assert result.state == "SUCCESS"
    AsyncResult(uuid4()).revoke()
    AsyncResult(uuid4()).forget()


def test_results(memory, work):
    result = moved.taskfunc.delay(datetime(2026, 1, 2, tzinfo=UTC), b={1})
    assert (result.result, result.ready(), result.state) == (None, False, "PENDING")
    work()
    assert (result.result, result.ready(), result.successful()) == (42, True, True)
    assert result.get(timeout=5) == 42
    assert moved.calls == [(datetime(2026, 1, 2, tzinfo=UTC), {1})]
    result.forget()
    assert AsyncResult(result.id).state == "PENDING"


def test_a_result_that_cannot_be_stored_is_none_and_no_failure(memory, work):
    results = [moved.task_returns_what_is_no_json.delay(), moved.task_ignores_result.delay()]
    work()
    assert [(each.state, each.result) for each in results] == [("SUCCESS", None)] * 2


def test_a_bound_task_knows_itself(memory, work):
    result = moved.task_bound.delay("x")
    work()
    assert result.result == ["project.moved.task_bound", 0, str(result.id), "x"]
    assert moved.task_bound.request.called_directly


def test_an_async_task(memory, work):
    result = moved.task_async.delay("ab")
    work()
    assert result.result == "abab"
