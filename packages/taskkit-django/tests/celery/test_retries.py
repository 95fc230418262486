"""When tasks of the Celery-style API run again."""

from datetime import timedelta

import pytest
from django.utils import timezone
from project import moved

from taskkit import InvalidTask, State
from taskkit.clock import to_datetime
from taskkit_django.celery import MaxRetriesExceededError, Retry, shared_task
from taskkit_django.celery.handler import HANDLER


@pytest.fixture(autouse=True)
def no_calls():
    moved.calls.clear()


def record(memory, result):
    return memory.get_result(result.task_id).record


def test_what_fails_is_not_retried_unless_it_says_so(memory, work):
    result = moved.task_with_raise.delay("x")
    work()
    assert moved.calls == ["x"]
    assert result.failed()
    assert "KeyError: 'x'" in result.traceback


@pytest.mark.parametrize(("kind", "runs"), [("key", 3), ("index", 1), ("value", 1)])
def test_autoretry_is_for_the_errors_that_it_names(memory, work, kind, runs):
    result = moved.task_autoretry.delay(kind)
    work_until_finished(memory, work, result)
    assert len(moved.calls) == runs
    assert (
        record(memory, result).failure.type
        == {"key": "KeyError", "index": "IndexError", "value": "ValueError"}[kind]
    )


def work_until_finished(memory, work, result):
    while not record(memory, result).state.finished:
        memory.reschedule(result.task_id, timezone.now())
        work()


def test_a_retry_by_hand_ends_with_the_error_that_it_was_for(memory, work):
    result = moved.task_self_retry_for.delay("disk")
    work_until_finished(memory, work, result)
    assert moved.calls == ["disk"] * 3
    found = record(memory, result)
    assert found.failure.type == "OSError"
    assert [each.attempt for each in found.history] == [1, 2, 3]
    assert "disk" in found.history[0].failure.message


def test_a_retry_without_an_error_ends_with_one_that_says_so(memory, work):
    result = moved.task_self_retry.apply_async(kwargs={"countdown": 0.01, "max_retries": 1})
    work_until_finished(memory, work, result)
    assert record(memory, result).failure.type.endswith("MaxRetriesExceededError")


@pytest.mark.parametrize(
    ("kwargs", "wait"),
    [
        ({}, 180),
        ({"countdown": 60}, 60),
        ({"default_retry_delay": 7}, 7),
        ({"retry_backoff": 5}, 1),
    ],
)
def test_how_long_a_retry_by_hand_waits(memory, work, kwargs, wait):
    result = moved.task_self_retry.apply_async(kwargs=kwargs)
    began = timezone.now()
    work()
    found = record(memory, result)
    assert found.state is State.WAITING
    assert result.state == "RETRY"
    assert found.task.retry_count == 1
    waited = to_datetime(found.task.due) - began
    least = 0 if "retry_backoff" in kwargs else wait
    assert timedelta(seconds=least) <= waited < timedelta(seconds=wait + 10)


def test_no_wait_is_none():
    with pytest.raises(Retry) as raised:
        moved.task_self_retry.retry(countdown=0)
    assert raised.value.delay.seconds(0) == 0

    @shared_task(autoretry_for=ValueError, retry_kwargs={"countdown": 0})
    def at_once():
        pass

    rule = HANDLER.known("celery:" + at_once.name).declared.retry
    assert rule(0, ValueError()) == 0


def test_a_retry_at_a_moment(memory, work):
    eta = timezone.now() + timedelta(minutes=5)
    result = moved.task_self_retry.apply_async(kwargs={"eta": eta})
    work()
    assert to_datetime(record(memory, result).task.due) == eta


def test_back_off_grows_to_its_end():
    rule = HANDLER.known("celery:project.moved.task_with_retry_backoff").declared.retry
    waits = [rule(retries, ValueError()) for retries in range(9)]
    assert waits == [1, 2, 4, 8, 9, 9, 9, 9, None]
    assert rule(10_000, Retry(max_retries=None)) == 9


def test_jitter_spreads_the_whole_wait():
    @shared_task(autoretry_for=ValueError, retry_backoff=3)
    def jittering():
        pass

    rule = HANDLER.known("celery:" + jittering.name).declared.retry
    waits = {rule(2, ValueError()) for _ in range(200)}
    assert len(waits) == 200
    assert 0 <= min(waits) < 2
    assert 7 < max(waits) <= 9


def test_outside_a_task_it_raises_retry_and_calls_raise_their_own():
    with pytest.raises(Retry) as raised:
        moved.task_self_retry.retry()
    assert raised.value.max_retries == 3
    with pytest.raises(KeyError):
        moved.task_autoretry("key")
    assert moved.task_catches_retry() == 3
    with pytest.raises(MaxRetriesExceededError):
        moved.task_self_retry.retry(max_retries=0)


def test_a_retry_cannot_change_arguments():
    with pytest.raises(InvalidTask, match="arguments of a task stay"):
        moved.task_self_retry.retry(args=(1,))


def test_options_that_nobody_knows_are_refused():
    with pytest.raises(InvalidTask, match="'rate_limit'"):
        shared_task(rate_limit="10/m")(lambda: None)
    with pytest.raises(InvalidTask, match="retry_kwargs"):
        shared_task(autoretry_for=(OSError,), retry_kwargs={"max_retry": 3})(lambda: None)


def test_a_task_whose_worker_died_is_kept_for_a_person(memory):
    # as in django-taskq: nobody but the author knows whether it may run twice
    assert HANDLER.known("celery:project.moved.task_dies").declared.on_lost == "keep"

    @shared_task(acks_late=True)
    def late():
        pass

    assert HANDLER.known("celery:" + late.name).declared.on_lost == "retry"
