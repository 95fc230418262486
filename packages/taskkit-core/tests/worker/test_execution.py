"""What becomes of a task is decided in one place; here is every way it can go."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from taskkit.clock import SECOND, to_instant
from taskkit.context import TaskContext, current_task, in_task
from taskkit.errors import (
    AttemptCancelled,
    AttemptTimedOut,
    DiscardTask,
    InvalidData,
    InvalidInput,
    InvalidTask,
    OutsideTask,
    RetryTask,
    UnknownTask,
)
from taskkit.hooks import Hooks
from taskkit.plugins import hookimpl
from taskkit.records import Claim, Outcome, Settlement
from taskkit.task import After, Task
from taskkit.worker.execution import PARK, Execution
from taskkit.worker.failure import MAX_MESSAGE


class Handler:
    def __init__(self, function: Any, retry: Any = lambda task, error: None) -> None:
        self.function = function
        self.retry = retry

    def handle(self, task: Task) -> Any:
        return self.function(task)

    def get_retry_interval(self, task: Task, exception: Exception) -> float | None:
        return self.retry(task, exception)

    def encode_data(self, group: str, task_name: str, data: Any) -> bytes:
        return json.dumps(data).encode()

    def encode_result(self, task: Task, result: Any) -> bytes:
        return json.dumps(result).encode()

    def decode_result(self, task: Task, encoded: bytes) -> Any:
        return json.loads(encoded)


CLAIM = Claim(Task("g_1", "g", "n", b"", 0, 0, retry_count=2, timeout=7.0), 11, 3, 0, 0)


def run(function: Any, retry: Any = lambda task, error: None, **options: Any) -> Settlement:
    hooks = options.pop("hooks", None) or Hooks()
    execution = Execution(
        Handler(function, retry), hooks, options.pop("max_data_bytes", 1000), **options
    )
    return execution.run(CLAIM, TaskContext(CLAIM, "w"))


def raising(error: BaseException) -> Any:
    def function(task: Task) -> None:
        raise error

    return function


def test_a_result_is_encoded():
    assert run(lambda task: {"a": 1}) == Settlement("g_1", 11, Outcome.SUCCEED, b'{"a": 1}')


def test_an_awaitable_result_is_awaited():
    async def soon(task: Task) -> int:
        await asyncio.sleep(0)
        return 5

    assert run(soon).result == b"5"


def test_an_exception_without_a_retry_rule_fails_with_its_story():
    settlement = run(raising(ValueError("nope")))
    assert settlement.outcome is Outcome.FAIL
    assert settlement.failure is not None
    assert (settlement.failure.type, settlement.failure.message) == ("ValueError", "nope")
    assert "raise error" in settlement.failure.traceback
    assert "self._handle(" not in settlement.failure.traceback


def test_the_retry_rule_decides_when():
    settlement = run(raising(ValueError("x")), lambda task, error: task.retry_count + 0.5)
    assert (settlement.outcome, settlement.due) == (Outcome.RETRY, After(2_500_000))
    assert settlement.failure is not None


def test_the_retry_rule_sees_task_and_exception():
    error = ValueError("x")
    seen = []
    run(raising(error), lambda *given: seen.append(given))
    assert seen == [(CLAIM.task, error)]


@pytest.mark.parametrize("interval", ["soon", float("nan"), float("inf"), 1e20])
def test_a_retry_rule_that_returns_nonsense_is_broken(interval, caplog):
    settlement = run(raising(ValueError()), lambda task, error: interval)
    assert (settlement.outcome, settlement.due) == (Outcome.RETRY, After(3 * SECOND))
    assert "its retry rule raised" in caplog.text


def test_a_retry_rule_that_raises_retries_after_one_second_more_each_time(caplog):
    settlement = run(raising(ValueError()), lambda task, error: 1 / 0)
    assert (settlement.outcome, settlement.due) == (Outcome.RETRY, After(3 * SECOND))
    assert settlement.failure is not None and settlement.failure.type == "ValueError"
    assert "ZeroDivisionError" in caplog.text


def test_a_negative_retry_interval_means_now():
    assert run(raising(ValueError()), lambda task, error: -3).due == After(0)


def test_a_retry_rule_may_discard():
    def rule(task: Task, error: Exception) -> None:
        raise DiscardTask

    assert run(raising(ValueError()), rule).outcome is Outcome.DISCARD


def test_discard():
    assert run(raising(DiscardTask())) == Settlement("g_1", 11, Outcome.DISCARD)


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (2.5, After(2_500_000)),
        (timedelta(minutes=1), After(60 * SECOND)),
        (datetime(2040, 1, 1, tzinfo=UTC), to_instant(datetime(2040, 1, 1, tzinfo=UTC))),
    ],
)
def test_retry_task_says_when(due, expected):
    settlement = run(raising(RetryTask("busy", due=due)))
    assert (settlement.outcome, settlement.due) == (Outcome.RETRY, expected)
    assert settlement.failure is not None and settlement.failure.message == "busy"


def test_retry_task_without_due_asks_the_rule():
    assert run(raising(RetryTask())).outcome is Outcome.FAIL
    assert run(raising(RetryTask()), lambda task, error: 4).due == After(4 * SECOND)


@pytest.mark.parametrize("due", [float("nan"), "tomorrow", 1e20, datetime(1950, 1, 1, tzinfo=UTC)])
def test_retry_task_with_an_impossible_due_asks_the_rule(due):
    seen = []
    run(raising(RetryTask(due=due)), lambda task, error: seen.append(error))
    assert isinstance(seen[0], InvalidInput)


def test_unknown_tasks_fail_or_wait_for_a_newer_worker():
    unknown = raising(UnknownTask("no function is called n"))
    failed = run(unknown, lambda task, error: 1)
    assert failed.outcome is Outcome.FAIL
    assert failed.failure is not None and "no function is called n" in failed.failure.message
    parked = run(unknown, unknown="park")
    assert (parked.outcome, parked.due) == (Outcome.RELEASE, PARK)


def test_undecodable_data_fails_whatever_the_rule_says():
    assert run(raising(InvalidData("bad data")), lambda task, error: 1).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "error", [InvalidTask("group: expected…"), UnknownTask("no function is called other", "other")]
)
def test_what_a_task_meets_when_it_puts_another_is_an_error_like_any(error):
    settlement = run(raising(error), lambda task, error: 1, unknown="park")
    assert (settlement.outcome, settlement.due) == (Outcome.RETRY, After(SECOND))


@pytest.mark.parametrize("result", [object(), {1, 2}])
def test_what_cannot_be_encoded_fails_and_is_not_run_again(result):
    settlement = run(lambda task: result, lambda task, error: 1)
    assert settlement.outcome is Outcome.FAIL
    assert settlement.failure is not None
    assert settlement.failure.message.startswith("its result cannot be stored: ")


def test_a_result_that_is_too_large_fails():
    settlement = run(lambda task: "x" * 1001, lambda task, error: 1)
    assert settlement.outcome is Outcome.FAIL
    assert settlement.failure is not None and "1000 bytes" in settlement.failure.message
    assert run(lambda task: "x" * 998).outcome is Outcome.SUCCEED


def test_sys_exit_in_a_task_is_a_failure_like_any_other():
    settlement = run(raising(SystemExit(3)), lambda task, error: 1)
    assert settlement.outcome is Outcome.RETRY
    assert settlement.failure is not None and settlement.failure.type == "SystemExit"
    assert run(raising(KeyboardInterrupt())).outcome is Outcome.FAIL


def test_a_timeout_is_an_exception_and_a_cancellation_is_not():
    timed_out = run(raising(AttemptTimedOut()), lambda task, error: 1)
    assert timed_out.outcome is Outcome.RETRY
    assert timed_out.failure is not None
    assert timed_out.failure.message == "the attempt used up its timeout of 7.0 s"
    assert run(raising(AttemptCancelled()), lambda task, error: 1).outcome is Outcome.CANCEL


def test_texts_are_fit_for_every_store():
    settlement = run(raising(ValueError("a\x00b\ud800" + "x" * 10_000)))
    assert settlement.failure is not None
    message = settlement.failure.message
    assert message.startswith("a\\x00b\\ud800xxx")
    assert "characters left out" in message
    assert len(message) < MAX_MESSAGE + 100


def test_an_exception_whose_text_cannot_be_made_still_fails_the_task():
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    settlement = run(raising(Mute()))
    assert settlement.outcome is Outcome.FAIL
    assert settlement.failure is not None and "cannot be made" in settlement.failure.message


def test_the_task_knows_its_attempt():
    def function(task: Task) -> list[Any]:
        here = current_task()
        return [here.id, here.group, here.name, here.attempt, here.retry_count, here.worker_id]

    assert json.loads(run(function).result) == ["g_1", "g", "n", 3, 2, "w"]
    assert not in_task()
    with pytest.raises(OutsideTask, match="inside a task"):
        current_task()


def test_coroutines_know_their_task_too():
    async def function(task: Task) -> str:
        await asyncio.sleep(0)
        return current_task().id

    assert run(function).result == b'"g_1"'
    execution = Execution(Handler(function), Hooks(), 100)
    assert asyncio.run(execution.arun(CLAIM, TaskContext(CLAIM))).result == b'"g_1"'

    async def elsewhere() -> Settlement:
        return run(function)  # an eager task, put within a coroutine: it needs another loop

    assert asyncio.run(elsewhere()).result == b'"g_1"'


def test_progress_is_bytes_or_json():
    reported = []
    context = TaskContext(CLAIM, "w", lambda *given: reported.append(given))
    context.progress(b"raw")
    context.progress({"done": 3})
    assert reported == [(("g_1", 11), b"raw"), (("g_1", 11), b'{"done":3}')]
    TaskContext(CLAIM).progress(1)  # nobody listens: no error


class Listening:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    @hookimpl
    def taskkit_success(self, claim: Claim) -> None:
        self.heard.append(("success", claim.token))

    @hookimpl
    async def taskkit_retry(self, claim: Claim, failure: Any, due: Any) -> None:
        self.heard.append(("retry", failure.type, due))

    @hookimpl
    def taskkit_failure(self, claim: Claim, failure: Any) -> None:
        self.heard.append(("failure", failure.type))


def test_hooks_hear_how_it_ends():
    plugin = Listening()
    hooks = Hooks([plugin])
    run(lambda task: 1, hooks=hooks)
    run(raising(ValueError()), lambda task, error: 1, hooks=hooks)
    run(raising(ValueError()), hooks=hooks)
    run(lambda task: object(), hooks=hooks)
    run(raising(DiscardTask()), hooks=hooks)
    assert plugin.heard == [
        ("success", 11),
        ("retry", "ValueError", After(SECOND)),
        ("failure", "ValueError"),
        ("failure", "TypeError"),
    ]


class Around:
    def __init__(self, steps: list[str]) -> None:
        self.steps = steps

    @contextmanager
    def _sync(self):
        self.steps.append("in")
        try:
            yield
        except ValueError:
            self.steps.append("saw it")
            raise
        finally:
            self.steps.append("out")

    @hookimpl
    def taskkit_handling(self, claim: Claim) -> Any:
        return self._sync()


class AroundAsync(Around):
    @asynccontextmanager
    async def _async(self):
        self.steps.append("async in")
        yield
        self.steps.append("async out")

    @hookimpl
    def taskkit_handling(self, claim: Claim) -> Any:
        return self._async()


def test_hooks_wrap_the_handling():
    steps: list[str] = []
    hooks = Hooks([Around(steps), AroundAsync(steps)])
    settlement = run(lambda task: steps.append("work"), hooks=hooks)
    assert settlement.outcome is Outcome.SUCCEED
    assert sorted(steps[:2]) == ["async in", "in"]
    assert steps[2] == "work"
    assert sorted(steps[3:]) == ["async out", "out"]


def test_a_wrapping_hook_sees_the_exception():
    steps: list[str] = []
    assert run(raising(ValueError()), hooks=Hooks([Around(steps)])).outcome is Outcome.FAIL
    assert steps == ["in", "saw it", "out"]


def test_hooks_wrap_coroutines_on_the_loop():
    steps: list[str] = []

    async def work(task: Task) -> None:
        await asyncio.sleep(0)
        steps.append("work")

    execution = Execution(Handler(work), Hooks([AroundAsync(steps)]), 100)
    asyncio.run(execution.arun(CLAIM, TaskContext(CLAIM)))
    assert steps == ["async in", "work", "async out"]


def test_a_wrapping_hook_that_swallows_is_found_out():
    class Swallowing:
        @contextmanager
        def _around(self):
            with suppress(ValueError):
                yield

        @hookimpl
        def taskkit_handling(self, claim: Claim) -> Any:
            return self._around()

    settlement = run(raising(ValueError()), hooks=Hooks([Swallowing()]))
    assert settlement.outcome is Outcome.FAIL
    assert settlement.failure is not None and "swallowed" in settlement.failure.message
