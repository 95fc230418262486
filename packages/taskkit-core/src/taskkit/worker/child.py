"""The process that runs one claim by itself; see ``worker/isolation.py``.

The task runs in the main thread, where a signal can end it even while it waits in a system call.
Another thread reads the line: an interruption becomes that signal, and the end of the line, which
means that the worker is gone, ends this process on the spot.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from taskkit.context import TaskContext
from taskkit.hooks import run_awaitable
from taskkit.limits import check_data
from taskkit.records import Outcome, Settlement
from taskkit.worker import inheritance
from taskkit.worker.execution import Execution
from taskkit.worker.failure import describe
from taskkit.worker.forked import flush_output
from taskkit.worker.interrupt import INTERRUPTIONS
from taskkit.worker.isolation import Interrupt, Job, Progress, load_handler
from taskkit.worker.launch import ignore_terminal, settle_in
from taskkit.worker.line import Line

if TYPE_CHECKING:
    from taskkit.handler import TaskHandler
    from taskkit.hooks import Hooks

_SIGNAL: Final = signal.SIGUSR2
"""Ends the task. SIGALRM is left to the task itself."""


class _Nobody:
    """The hooks of a child: the worker calls the real ones."""

    handles = on_success = on_retry = on_failure = False
    resolve = staticmethod(run_awaitable)


def main(descriptor: int) -> None:
    """Run the job that comes down the line, in a fresh interpreter, and end."""
    ignore_terminal()
    line = Line(socket.socket(fileno=descriptor))
    job: Job | None = line.wait()
    if job is not None:
        payload = job.payload
        assert payload is not None
        settle_in(payload)
        _answer(job, line, lambda: load_handler(payload))
    # Not by returning: a thread that the task left behind would keep the interpreter alive.
    os._exit(0)


def run_job(handler: TaskHandler, line: Line) -> int:
    """Run the job that comes down the line, in a fork of the template; return the exit status."""
    # The template ignores it; here it may only not end a task that its worker lets finish, and
    # unlike what is ignored, what is handled is not inherited by the programs that tasks start.
    inheritance.answer(signal.SIGTERM, lambda *_: None)
    job: Job | None = line.wait()
    if job is not None:
        _answer(job, line, lambda: handler)
    return 0


def _answer(job: Job, line: Line, load: Callable[[], TaskHandler]) -> None:
    line.send(_work(job, line, load))
    flush_output()


def _work(job: Job, line: Line, load: Callable[[], TaskHandler]) -> Settlement:
    claim = job.claim
    try:
        handler = load()
    except BaseException as error:  # noqa: BLE001 - whatever the user's modules raise is reported
        failure = describe(error, claim.task, "its handler cannot be loaded in a new process")
        return Settlement(claim.task.id, claim.token, Outcome.FAIL, failure=failure)
    execution = Execution(handler, cast("Hooks", _Nobody()), job.max_data_bytes, job.unknown)

    def publish(_: object, value: bytes) -> None:
        check_data("progress", value, job.max_data_bytes)
        line.send(Progress(value))

    context = TaskContext(claim, job.worker_id, publish)
    inheritance.answer(_SIGNAL, lambda *_: _raise_in(context))
    threading.Thread(target=_listen, args=(line, context), daemon=True).start()
    try:
        context.open = True
        settlement = execution.run(claim, context)
    except INTERRUPTIONS as error:
        context.open = False
        settlement = execution.judge(claim, context, error)
    context.open = False
    return settlement


def _raise_in(context: TaskContext) -> None:
    # Signal handlers run in the main thread, between its bytecodes: nothing comes in between.
    if context.open and context.interrupted is not None:
        raise context.interrupted


def _listen(line: Line, context: TaskContext) -> None:
    while (message := _wait(line)) is not None:
        if isinstance(message, Interrupt):
            context.interrupted = message.error
            main_thread = threading.main_thread().ident
            assert main_thread is not None
            signal.pthread_kill(main_thread, _SIGNAL)
    os._exit(1)


def _wait(line: Line) -> Any:
    try:
        return line.wait()
    except OSError:
        return None


if __name__ == "__main__":
    # By its full name: the program that `main` imports takes the name `__main__` over.
    from taskkit.worker.child import main as work

    work(int(sys.argv[1]))
