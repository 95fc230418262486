"""Django's tasks in taskkit: what its documentation says of a backend that can do everything."""

from datetime import timedelta

import django
import pytest
from asgiref.sync import async_to_sync
from django.core import checks
from django.utils import timezone
from project import asked

from taskkit import State, TaskFailed
from taskkit.clock import to_datetime
from taskkit_django import tasks as taskkit

if django.VERSION >= (6, 0):
    from django.tasks import TaskResultStatus, default_task_backend, task_backends
    from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist, TaskResultMismatch
    from django.tasks.signals import task_enqueued, task_finished, task_started
else:
    from django_tasks import TaskResultStatus, default_task_backend, task_backends
    from django_tasks.exceptions import InvalidTaskError as InvalidTask
    from django_tasks.exceptions import TaskResultDoesNotExist, TaskResultMismatch
    from django_tasks.signals import task_enqueued, task_finished, task_started

READY, RUNNING, FAILED, SUCCESSFUL = (
    TaskResultStatus[name] for name in ("READY", "RUNNING", "FAILED", "SUCCESSFUL")
)


@pytest.fixture(autouse=True)
def kit(memory):
    asked.calls.clear()
    return memory


def test_it_says_that_it_can_do_everything():
    for flag in ("defer", "async_task", "get_result", "priority"):
        assert getattr(default_task_backend, f"supports_{flag}") is True


def test_the_path_in_the_settings_is_the_class():
    assert type(task_backends["default"]) is taskkit.TaskkitBackend
    assert type(asked.echo) is taskkit.TaskkitTask


# ---- putting


def test_a_result_before_anybody_ran_it(kit):
    before = timezone.now()
    result = asked.echo.enqueue(1, two=(2, 2))
    assert result.status == READY
    assert result.task == asked.echo
    assert (result.args, result.kwargs, result.backend) == ([1], {"two": [2, 2]}, "default")
    assert before <= result.enqueued_at <= timezone.now()
    assert (result.started_at, result.finished_at, result.last_attempted_at) == (None, None, None)
    assert (result.errors, result.worker_ids, result.attempts) == ([], [], 0)
    assert len(result.id) <= 64
    with pytest.raises(ValueError, match="not finished"):
        _ = result.return_value
    found = default_task_backend.get_result(result.id)
    assert (found.status, found.args, found.kwargs) == (READY, result.args, result.kwargs)
    assert abs(found.enqueued_at - result.enqueued_at) < timedelta(seconds=5)


def stored(kit, result):
    return kit.get_result(result.id).record.task


def test_priority_queue_and_time_are_those_of_the_task(kit):
    later = timezone.now() + timedelta(hours=1)
    plain = stored(kit, asked.mail.enqueue("a"))
    assert (plain.group, plain.priority) == ("mail", 5)
    changed = asked.mail.using(priority=-7, queue_name="default", run_after=later).enqueue("a")
    task = stored(kit, changed)
    assert (task.group, task.priority, to_datetime(task.due)) == ("default", -7, later)
    assert kit.get_result(changed.id).status is State.WAITING
    found = changed.task.get_result(changed.id).task
    assert (found.priority, found.queue_name, found.run_after) == (-7, "default", later)


def test_another_entry_of_the_settings(kit):
    result = asked.mail.using(backend="other").enqueue("a")
    assert result.backend == "other"
    assert task_backends["other"].get_result(result.id).backend == "other"
    with pytest.raises(InvalidTask, match="Queue 'elsewhere'"):
        asked.mail.using(backend="other", queue_name="elsewhere")


def test_what_was_put_before_the_settings_changed_runs_and_is_found(work, settings):
    queued = asked.echo.using(queue_name="mail").enqueue(7)
    other = asked.mail.using(backend="other").enqueue("a")
    settings.TASKS = {"default": {**settings.TASKS["default"], "QUEUES": ["default"]}}
    work()
    for result, queue in ((queued, "mail"), (other, "mail")):
        found = taskkit_backend().get_result(result.id)
        assert (found.status, found.task.queue_name) == (SUCCESSFUL, queue), found.errors
        assert found.backend == "default"


def taskkit_backend():
    return task_backends["default"]


def test_what_is_no_json_is_refused_where_it_is_put(kit):
    for wrong in (object(), {1, 2}, timezone.now()):
        with pytest.raises(TypeError):
            asked.echo.enqueue(wrong)
    assert kit.stats().count() == 0


def test_what_taskkit_refuses_is_an_invalid_task_of_django(kit):
    for args, kwargs, place in (
        ([1, float("nan")], {}, "argument 1: expected what JSON can hold, found nan"),
        ([], {"two": ["\ud800"]}, "argument 'two': expected what JSON can hold"),
    ):
        with pytest.raises(InvalidTask, match=place):
            asked.echo.enqueue(*args, **kwargs)
    with pytest.raises(InvalidTask, match="1048576 bytes"):
        asked.echo.enqueue("x" * 2_000_000)
    with pytest.raises(InvalidTask, match="group"):
        asked.echo.using(queue_name="a..b").enqueue()


def test_a_function_that_no_worker_could_find_is_refused(kit):
    hidden = type(asked.echo)(**{**_fields(asked.echo), "func": _not_a_task})
    with pytest.raises(InvalidTask, match="_not_a_task"):
        hidden.enqueue()


def _not_a_task():
    pass


def _fields(task):
    from dataclasses import fields

    return {field.name: getattr(task, field.name) for field in fields(task)}


def test_async_putting_and_reading(kit, work):
    async def ask():
        result = await asked.echo.aenqueue(1)
        return result, await asked.echo.aget_result(result.id)

    result, found = async_to_sync(ask)()
    assert found.id == result.id
    work()
    async_to_sync(result.arefresh)()
    assert result.return_value == [[1], {}]


# ---- running


def test_a_result_after_it_ran(work):
    result = asked.echo.enqueue(1, two=2)
    work()
    assert result.status == READY
    result.refresh()
    assert result.status == SUCCESSFUL
    assert result.is_finished
    assert result.return_value == [[1], {"two": 2}]
    assert result.attempts == 1
    assert len(result.worker_ids) == 1
    assert result.enqueued_at <= result.started_at == result.last_attempted_at <= result.finished_at
    assert asked.calls == [((1,), {"two": 2})]


def test_a_coroutine(work):
    result = asked.later.enqueue("ab")
    work()
    result.refresh()
    assert result.return_value == "abab"


def test_a_context(work):
    result = asked.with_context.enqueue("x")
    work()
    result.refresh()
    assert result.return_value == [1, result.id, "RUNNING", "x"]
    assert asked.calls[0].task_result.task == asked.with_context


def test_a_failure_tells_its_error_and_traceback(work):
    result = asked.fails.enqueue("gone")
    work()
    result.refresh()
    assert result.status == FAILED
    assert [error.exception_class for error in result.errors] == [LookupError]
    first = result.errors[0].traceback.splitlines()[1]
    assert first.endswith("in fails")  # not with frames of taskkit
    assert "raise LookupError(text)" in result.errors[0].traceback
    assert result.errors[0].traceback.rstrip().endswith("LookupError: gone")
    with pytest.raises(ValueError, match="failed"):
        _ = result.return_value


def test_a_result_that_is_no_json_is_a_failure(work):
    result = asked.returns_no_json.enqueue()
    work()
    result.refresh()
    assert result.status == FAILED
    assert result.errors[0].exception_class is TypeError


def test_a_result_is_found_by_its_own_task_only(kit):
    result = asked.echo.enqueue()
    assert asked.echo.get_result(result.id).id == result.id
    with pytest.raises(TaskResultMismatch):
        asked.fails.get_result(result.id)
    for unknown in ("nobody", "default_" + "0" * 32):
        with pytest.raises(TaskResultDoesNotExist):
            asked.echo.get_result(unknown)
    other = kit.initiate_task("default", "celery:project.moved.taskfunc", (1,))
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(other.id)


def test_a_result_whose_code_is_gone_does_not_exist(kit, monkeypatch):
    result = asked.echo.enqueue()
    monkeypatch.delattr(asked, "echo")
    with pytest.raises(TaskResultDoesNotExist, match="echo"):
        default_task_backend.get_result(result.id)


# ---- signals


@pytest.fixture
def heard():
    told = []
    receivers = []
    for name, signal in (
        ("enqueued", task_enqueued),
        ("started", task_started),
        ("finished", task_finished),
    ):

        def receive(sender, task_result, name=name, **rest):
            told.append((name, sender, str(task_result.status), task_result))

        signal.connect(receive)
        receivers.append((signal, receive))
    yield told
    for signal, receive in receivers:
        signal.disconnect(receive)


def spoken(heard):
    return [(name, status) for name, _sender, status, _result in heard]


@pytest.mark.parametrize("task", [asked.echo, asked.later], ids=["sync", "async"])
def test_signals_of_a_success(work, heard, task):
    task.enqueue("x")
    work()
    assert spoken(heard) == [
        ("enqueued", "READY"),
        ("started", "RUNNING"),
        ("finished", "SUCCESSFUL"),
    ]
    assert {sender for _, sender, *_ in heard} == {taskkit.TaskkitBackend}
    assert heard[-1][3].return_value is not None


def test_signals_of_a_failure(work, heard):
    asked.fails.enqueue("x")
    work()
    assert spoken(heard)[1:] == [("started", "RUNNING"), ("finished", "FAILED")]
    assert heard[-1][3].errors[0].exception_class is LookupError


@pytest.mark.parametrize("task", [asked.returns_much, asked.returns_much_later])
@pytest.mark.parametrize("result", ["x" * (1 << 21), float("nan"), "\ud800"])
def test_signals_of_a_result_that_cannot_be_stored(work, heard, caplog, task, result, monkeypatch):
    monkeypatch.setattr(asked, "much", result)
    task.enqueue()
    work()
    assert spoken(heard)[1:] == [("started", "RUNNING"), ("finished", "FAILED")]
    (logged,) = [record for record in caplog.records if record.exc_info]
    assert isinstance(logged.exc_info[1], TaskFailed)
    assert "cannot be stored" in str(logged.exc_info[1])
    assert "Traceback" in logged.exc_info[1].__notes__[0]


def test_signals_of_retries(kit, work, heard):
    result = asked.flaky.enqueue("x")
    finish(kit, work, result)
    assert spoken(heard)[1:] == [("started", "RUNNING")] * 3 + [("finished", "FAILED")]
    assert heard[-1][3].attempts == 3


def test_a_receiver_that_raises_harms_no_task(work, caplog):
    def broken(**details):
        raise RuntimeError("in the receiver")

    task_finished.connect(broken)
    try:
        result = asked.echo.enqueue()
        work()
    finally:
        task_finished.disconnect(broken)
    result.refresh()
    assert result.status == SUCCESSFUL
    assert "in the receiver" in caplog.text


def test_a_receiver_that_raises_does_not_hide_that_the_task_is_stored(kit, caplog):
    def broken(**details):
        raise RuntimeError("in the receiver")

    task_enqueued.connect(broken)
    try:
        results = [asked.echo.enqueue(), async_to_sync(asked.echo.aenqueue)()]
    finally:
        task_enqueued.disconnect(broken)
    assert {result.status for result in results} == {READY}
    assert kit.stats().count() == 2
    assert caplog.text.count("RuntimeError: in the receiver") == 2


# ---- what Django has no word for


def finish(kit, work, result):
    while not kit.get_result(result.id).status.finished:
        kit.reschedule(result.id, timezone.now())
        work()
    result.refresh()


def test_retries(kit, work):
    result = asked.third_time.enqueue()
    finish(kit, work, result)
    assert result.return_value == "done"
    assert asked.calls == [(1, 1), (2, 2), (3, 3)]
    assert result.attempts == 3
    assert [error.exception_class for error in result.errors] == [OSError, OSError]
    assert result.started_at < result.last_attempted_at


def test_retries_have_an_end(kit, work):
    result = asked.flaky.enqueue("x")
    finish(kit, work, result)
    assert asked.calls == ["x"] * 3
    assert (result.status, len(result.errors), result.attempts) == (FAILED, 3, 3)
    assert stored(kit, result).timeout == 30


def test_uniqueness_and_locks(kit):
    first = asked.once.enqueue(1)
    assert asked.once.enqueue(number=1, note="b").id == first.id
    assert asked.once.enqueue(2).id != first.id
    task = stored(kit, first)
    assert (task.group, task.lock_limit) == ("keys", 2)
    assert task.lock_key != stored(kit, asked.once.enqueue(3)).lock_key
    assert asked.once_by_rule.enqueue(3).id == asked.once_by_rule.enqueue(13).id


def test_many_at_once(kit, heard):
    results = asked.once.enqueue_many([(1,), {"number": 2}, (1,)])
    assert [result.args or result.kwargs for result in results] == [[1], {"number": 2}, [1]]
    assert results[0].id == results[2].id
    assert len(heard) == 2
    with pytest.raises(InvalidTask):
        asked.once.enqueue_many([(4,), ("x" * 2_000_000,)])
    assert kit.stats().count(group="keys") == 2
    assert len(async_to_sync(asked.once.aenqueue_many)([(5,)])) == 1


def test_cancelling(kit, work):
    result = asked.echo.using(run_after=timezone.now() + timedelta(hours=1)).enqueue()
    taskkit.reschedule(result, timedelta(hours=2))
    taskkit.cancel(result.id)
    work()
    result.refresh()
    assert result.status == FAILED
    assert result.errors[0].exception_class.__name__ == "TaskCancelled"
    assert asked.calls == []


def test_with_another_backend_it_is_still_a_task(settings):
    package = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
    settings.TASKS = {"default": {"BACKEND": f"{package}.backends.immediate.ImmediateBackend"}}
    assert asked.once.using(queue_name="default").enqueue(3).return_value == 3


def test_options_that_nobody_knows_are_refused():
    with pytest.raises(ValueError, match="'retries'"):
        taskkit.task(retries=3)(_not_a_task)
    with pytest.raises(ValueError, match="using"):
        taskkit.task(run_after=timezone.now())(_not_a_task)
    with pytest.raises(ValueError, match="'nobody'"):
        taskkit.task(unique="nobody")(_not_a_task)


# ---- checks


def messages(settings, **entry):
    settings.TASKS = {"default": {"BACKEND": "taskkit_django.tasks.TaskkitBackend", **entry}}
    return [message.id for message in task_backends["default"].check()]


def test_checks(settings):
    assert messages(settings) == []
    assert messages(settings, QUEUES=["a" * 31]) == []
    assert messages(settings, QUEUES=["a" * 32]) == ["taskkit.W104"]
    assert messages(settings, QUEUES=["a..b"]) == ["taskkit.E103"]
    assert messages(settings, OPTIONS={"x": 1}) == ["taskkit.E102"]
    settings.TASKS = {"default": {"BACKEND": "taskkit_django.tasks.TaskkitBackend"}}
    settings.INSTALLED_APPS = []
    found = task_backends["default"].check()
    assert [message.id for message in found] == ["taskkit.E101"]
    assert "INSTALLED_APPS" in found[0].hint
    assert isinstance(found[0], checks.Error)
