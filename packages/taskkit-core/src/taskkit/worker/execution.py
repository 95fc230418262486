"""What becomes of a task: handle, retry, discard or fail is decided here and nowhere else.

Shared by thread slots, the event loop, child processes and eager tasks. It turns whatever user
code does into a ``Settlement`` and knows nothing of stores, threads or time.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    ExitStack,
)
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from taskkit.clock import SECOND, micros
from taskkit.context import TaskContext, active
from taskkit.convert import to_when
from taskkit.errors import (
    AttemptCancelled,
    DiscardTask,
    InvalidData,
    InvalidInput,
    RetryTask,
    TaskFailed,
    UnknownTask,
)
from taskkit.hooks import run_awaitable
from taskkit.limits import check_data, check_instant
from taskkit.records import Outcome, Settlement
from taskkit.task import After, Failure, Instant, Task
from taskkit.worker.failure import describe
from taskkit.worker.interrupt import INTERRUPTIONS
from taskkit.worker.loop import LoopThread, discard

if TYPE_CHECKING:
    from taskkit.handler import TaskHandler
    from taskkit.hooks import Hooks
    from taskkit.records import Claim

PARK: Final = After(15 * SECOND)
"""When a task that nobody here knows is offered again, to a worker that may be newer."""

Resolve: TypeAlias = Callable[[Awaitable[Any], TaskContext], Any]

_log = logging.getLogger("taskkit.worker.execution")

_SUCCEED: Final = Outcome.SUCCEED  # an enum's member is looked up through its metaclass


class Execution:
    """Handles claims of one kit. Thread-safe; no method raises for what a task did.

    An interruption (``AttemptTimedOut``, ``AttemptCancelled``) that lands when the task's own code
    is already over does come out of ``run``; the slot that opened the attempt catches it.

    Args:
        handler: What tasks mean.
        hooks: Who listens.
        max_data_bytes: The largest result that is accepted.
        unknown: Whether a task with an unknown name fails, or is given back for a newer worker.
        resolve: How an awaitable is run from a thread: on the worker's loop. Without it, on a loop
            that is made for it.
    """

    __slots__ = ("_encode", "_handle", "_handler", "_hooks", "_limit", "_resolve", "_unknown")

    def __init__(
        self,
        handler: TaskHandler,
        hooks: Hooks,
        max_data_bytes: int,
        unknown: Literal["fail", "park"] = "fail",
        *,
        resolve: Resolve | None = None,
    ) -> None:
        self._handler = handler
        self._handle = handler.handle
        self._encode = handler.encode_result
        self._hooks = hooks
        self._limit = max_data_bytes
        self._unknown = unknown
        self._resolve = resolve

    def run(self, claim: Claim, context: TaskContext) -> Settlement:
        """Handle a claim in this thread and return how it is to be settled."""
        outer = active.set(context)
        result = None
        try:
            try:
                if self._hooks.handles:
                    result = self._run_wrapped(claim, context, lambda: self._handle(claim.task))
                else:
                    result = self._handle(claim.task)
                    if result is not None and hasattr(type(result), "__await__"):
                        result = self._run_awaitable(result, context)
            except BaseException as error:  # noqa: BLE001 - a task may raise what it likes
                discard(result)  # an interruption may come before the coroutine is begun
                return self.judge(claim, context, error)
            return self._succeed(claim, context, result)
        finally:
            active.reset(outer)

    async def arun(self, claim: Claim, context: TaskContext) -> Settlement:
        """Handle a claim on this event loop and return how it is to be settled."""
        outer = active.set(context)
        try:
            try:
                if self._hooks.handles:
                    result = await self._arun_wrapped(claim)
                else:
                    result = self._handle(claim.task)
                    if result is not None and hasattr(type(result), "__await__"):
                        result = await result
            except BaseException as error:  # noqa: BLE001 - a task may raise what it likes
                return self.judge(claim, context, error)
            return self._succeed(claim, context, result)
        finally:
            active.reset(outer)

    def delegate(
        self, claim: Claim, context: TaskContext, work: Callable[[], Settlement]
    ) -> Settlement:
        """Have ``work`` handle a claim elsewhere, with this process's hooks around it."""
        ended: list[Settlement] = []

        def handle() -> None:
            ended.append(work())
            if ended[0].failure is not None:
                raise TaskFailed(claim.task.id, ended[0].failure)

        try:
            if self._hooks.handles:
                self._run_wrapped(claim, context, handle)
            else:
                handle()
        except TaskFailed:
            pass  # what the hooks around it were to see
        except BaseException as error:  # noqa: BLE001 - an interruption, or a hook's error
            return self.judge(claim, context, error)
        self.tell(claim, ended[0])
        return ended[0]

    def judge(self, claim: Claim, context: TaskContext, error: BaseException) -> Settlement:
        """Return how a claim whose handling raised ``error`` is to be settled, and tell hooks."""
        if context.interrupted is not None and not isinstance(error, Exception):
            # The loop carries an interruption as its own CancelledError.
            error = context.interrupted().with_traceback(error.__traceback__)
        settlement = self._decide(claim, error)
        self.tell(claim, settlement)
        return settlement

    def tell(self, claim: Claim, settlement: Settlement) -> None:
        """Tell the hooks how a claim ends, before that is settled."""
        hooks, outcome, failure = self._hooks, settlement.outcome, settlement.failure
        if outcome is _SUCCEED:
            if hooks.on_success:
                hooks.succeeded(claim)
        elif failure is None:
            return
        elif outcome is Outcome.RETRY and hooks.on_retry:
            hooks.retried(claim, failure, settlement.due)
        elif outcome is Outcome.FAIL and hooks.on_failure:
            hooks.failed(claim, failure)

    def _run_wrapped(self, claim: Claim, context: TaskContext, handle: Callable[[], Any]) -> Any:
        # A manager must be left on the loop on which it was entered. `hooks.resolve` may make a
        # loop for each call, so without a worker's loop this task gets one of its own.
        own_loop = LoopThread()
        resolve = self._resolve or own_loop.resolve
        try:
            with ExitStack() as stack:
                for manager in self._hooks.handling(claim):
                    if isinstance(manager, AbstractContextManager):
                        stack.enter_context(manager)
                    else:
                        resolve(manager.__aenter__(), context)
                        stack.push(_leave(manager, resolve, context))
                result = handle()
                if hasattr(type(result), "__await__"):
                    result = resolve(result, context)
                return result
            raise _swallowed()
        finally:
            own_loop.stop()

    async def _arun_wrapped(self, claim: Claim) -> Any:
        async with AsyncExitStack() as stack:
            for manager in self._hooks.handling(claim):
                if isinstance(manager, AbstractContextManager):
                    stack.enter_context(manager)
                else:
                    await stack.enter_async_context(manager)
            result = self._handle(claim.task)
            return await result if hasattr(type(result), "__await__") else result
        raise _swallowed()

    def _run_awaitable(self, awaitable: Awaitable[Any], context: TaskContext) -> Any:
        if self._resolve is None:
            return run_awaitable(awaitable)
        return self._resolve(awaitable, context)

    def _succeed(self, claim: Claim, context: TaskContext, result: Any) -> Settlement:
        task = claim.task
        try:
            encoded = self._encode(task, result)
            if type(encoded) is not bytes or len(encoded) > self._limit:
                check_data("result", encoded, self._limit)
        except INTERRUPTIONS as error:
            return self.judge(claim, context, error)
        except Exception as error:  # noqa: BLE001 - encoders are the user's code
            # Never retried: the task has done its work, and would do it twice for nothing.
            settlement = _fail(claim, describe(error, task, "its result cannot be stored"))
        else:
            settlement = Settlement(task.id, claim.token, _SUCCEED, encoded)
        if self._hooks.on_success or self._hooks.on_failure:
            self.tell(claim, settlement)
        return settlement

    def _decide(self, claim: Claim, error: BaseException) -> Settlement:
        task = claim.task
        if isinstance(error, DiscardTask):
            return Settlement(task.id, claim.token, Outcome.DISCARD)
        failure = describe(error, task)
        if isinstance(error, AttemptCancelled):
            return Settlement(task.id, claim.token, Outcome.CANCEL, failure=failure)
        # A task that puts another by its name may meet these errors too: those are its own.
        unknown = isinstance(error, UnknownTask) and error.name in ("", task.name)
        if unknown and self._unknown == "park":
            _log.warning("%s: unknown here, given back for a newer worker: %s", task.id, error)
            return Settlement(task.id, claim.token, Outcome.RELEASE, due=PARK)
        if unknown or isinstance(error, InvalidData):
            # Another attempt would find the same bytes and the same functions.
            return _fail(claim, failure)
        try:
            due = self._retry_due(task, error)
        except DiscardTask:
            return Settlement(task.id, claim.token, Outcome.DISCARD)
        if due is None:
            return _fail(claim, failure)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s: attempt %d failed, retrying", task.id, claim.attempt)
        return Settlement(task.id, claim.token, Outcome.RETRY, failure=failure, due=due)

    def _retry_due(self, task: Task, error: BaseException) -> Instant | None:
        if isinstance(error, RetryTask) and error.due is not None:
            try:
                due = to_when("due of RetryTask", error.due)
                check_instant("due of RetryTask", due)
            except InvalidInput as unusable:
                error = unusable
            else:
                return due
        if not isinstance(error, Exception):  # SystemExit: rules are typed for Exception
            error = RuntimeError(f"the task raised {type(error).__name__}: {error}")
        try:
            interval = self._handler.get_retry_interval(task, error)
            if interval is None:
                return None
            due = After(micros(max(interval, 0)))
            check_instant("retry interval", due)
        except (DiscardTask, *INTERRUPTIONS):
            raise
        except Exception:  # noqa: BLE001 - a rule is the user's code, and this one is broken
            _log.exception("%s: its retry rule raised; retrying all the same", task.id)
            return After((task.retry_count + 1) * SECOND)
        return due


def _fail(claim: Claim, failure: Failure) -> Settlement:
    return Settlement(claim.task.id, claim.token, Outcome.FAIL, failure=failure)


def _leave(
    manager: AbstractAsyncContextManager[Any], resolve: Resolve, context: TaskContext
) -> Callable[..., bool | None]:
    def leave(*raised: Any) -> bool | None:
        left: bool | None = resolve(manager.__aexit__(*raised), context)
        return left

    return leave


def _swallowed() -> RuntimeError:
    return RuntimeError("a taskkit_handling hook swallowed the exception of the task")
