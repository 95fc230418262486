"""Running one claim in a child process of its own: what kills it kills nobody else.

For tasks that ask for it (``isolation="process"``), and for every task that was lost once, because
it may be what killed its worker. The child is forked by the template that this process was forked
from, or, where there is none, a fresh interpreter; never a fork of this process, which has threads.
An interpreter gets the handler as the workers get the kit (``worker/launch.py``). A child ends by
itself when its line to this process ends, so that none outlives its worker.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from subprocess import Popen, TimeoutExpired
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from taskkit.clock import SECOND
from taskkit.errors import InvalidSetting
from taskkit.records import Claim, Outcome, Settlement
from taskkit.task import WORKER_DIED, After, Failure, Instant
from taskkit.worker.failure import describe
from taskkit.worker.launch import KitReference, Payload, import_main, main_program, pack, unpack
from taskkit.worker.launch import describe as describe_process
from taskkit.worker.launcher import start_interpreter
from taskkit.worker.line import Line

if TYPE_CHECKING:
    from taskkit.context import Interruption, TaskContext
    from taskkit.handler import TaskHandler
    from taskkit.settings import WorkerSettings
    from taskkit.worker.execution import Execution
    from taskkit.worker.ledger import Key
    from taskkit.worker.nursery import ForkedProcess, Nursery

REAP_TIMEOUT: Final = 5.0
"""Seconds that a child gets to end after it has sent how its claim ends."""

START_AGAIN: Final = After(5 * SECOND)
"""When a task is offered again for which this host could not start a process."""

OnIsolated: TypeAlias = Callable[[str, bool], object]
"""Told the id of a task that runs in a child, and whether that is over."""

_log = logging.getLogger("taskkit.worker.isolation")


@dataclass(frozen=True, slots=True)
class Job:
    """All that a child is told."""

    payload: Payload | None
    """The handler is its ``kit``, packed. None: the child has it by birth."""
    claim: Claim
    worker_id: str
    max_data_bytes: int
    unknown: Literal["fail", "park"]


@dataclass(frozen=True, slots=True)
class Interrupt:
    """To the child: end, because of this."""

    error: Interruption


@dataclass(frozen=True, slots=True)
class Progress:
    """From the child: what the task has published."""

    value: bytes


class Isolation:
    """Runs claims in children. Thread-safe; each call blocks until its child has ended."""

    def __init__(
        self,
        handler: TaskHandler,
        settings: WorkerSettings,
        execution: Execution,
        report: Callable[[Key, bytes], object],
        nursery: Nursery | None = None,
        on_isolated: OnIsolated | None = None,
    ) -> None:
        self._on_isolated = on_isolated or (lambda *_: None)
        self._handler = handler
        self._settings = settings
        self._execution = execution
        self._report = report
        self._nursery = nursery
        self._lock = threading.Lock()
        self._payload: Payload | InvalidSetting | None = None

    def run(self, claim: Claim, context: TaskContext) -> Settlement:
        """Return how the claim is to be settled: as the child says, or by how it died."""
        payload = self._describe()
        if isinstance(payload, InvalidSetting):
            return self._run_without(claim, context, payload)
        settings = self._settings
        job = Job(payload, claim, context.worker_id, settings.max_data_bytes, settings.unknown)
        return self._execution.delegate(claim, context, lambda: self._run_child(job, context))

    def _describe(self) -> Payload | InvalidSetting | None:
        if self._nursery is not None and self._nursery.alive:
            return None
        with self._lock:
            if self._payload is None:
                try:
                    self._payload = _payload_of(self._handler)
                except InvalidSetting as error:
                    self._payload = error
                    _log.warning("no task can be run in a process of its own: %s", error)
            return self._payload

    def _run_without(self, claim: Claim, context: TaskContext, why: InvalidSetting) -> Settlement:
        asks = getattr(self._handler, "is_isolated", None)
        if asks is None or not asks(claim.task):
            # Only a precaution after a loss: better without it than not at all.
            return self._execution.run(claim, context)
        return Settlement(
            claim.task.id, claim.token, Outcome.FAIL, failure=describe(why, claim.task)
        )

    def _run_child(self, job: Job, context: TaskContext) -> Settlement:
        claim = job.claim
        try:
            child = _Child(job, self._nursery)
        except OSError:
            _log.exception("%s: no process could be started for it; given back", claim.task.id)
            return _release(claim, START_AGAIN)
        context.killable = True
        context.relay = child.interrupt
        if context.interrupted is not None:
            child.interrupt(context.interrupted, context.abandoned)
        self._on_isolated(claim.task.id, False)
        try:
            while isinstance(message := child.line.wait(), Progress):
                self._report(context.key, message.value)
        finally:
            status = child.end()
            self._on_isolated(claim.task.id, True)
        if isinstance(message, Settlement):
            return message
        if context.interrupted is not None:
            raise context.interrupted
        how = f"its process was killed by signal {-status}" if status < 0 else f"exit {status}"
        _log.error("%s: the process that ran it died (%s)", claim.task.id, how)
        failure = Failure(WORKER_DIED, f"the process that ran the task died: {how}")
        return Settlement(claim.task.id, claim.token, Outcome.LOSE, failure=failure)


class _Child:
    """One child process and the line to it."""

    def __init__(self, job: Job, nursery: Nursery | None) -> None:
        self.line, far = Line.pair()
        self._process: Popen[bytes] | ForkedProcess
        if job.payload is None and nursery is not None:
            self._process = nursery.fork(far)
        else:
            self._process = start_interpreter("taskkit.worker.child", far)
        self.line.send(job)

    def interrupt(self, error: Interruption, hard: bool) -> None:
        """End the task; a ``Relay``."""
        if hard:
            self._process.kill()
        else:
            self.line.send(Interrupt(error))

    def end(self) -> int:
        """Wait until the process has ended, kill it if it does not, and return its status."""
        try:
            return self._process.wait(REAP_TIMEOUT)
        except TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self.line.close()


def load_handler(payload: Payload) -> TaskHandler:
    """Return the handler of a payload; the process has settled in."""
    if payload.main is not None:
        import_main(payload.main)
    handler: TaskHandler = unpack(payload.kit)  # type: ignore[arg-type]  # a Job's is packed
    return handler


def _payload_of(handler: TaskHandler) -> Payload:
    packed = pack("the handler", handler)
    # The program is only run again where the handler is defined in it.
    main = main_program() if b"__main__" in packed or b"__mp_main__" in packed else None
    return replace(describe_process(KitReference("")), main=main, kit=packed)


def _release(claim: Claim, due: Instant) -> Settlement:
    return Settlement(claim.task.id, claim.token, Outcome.RELEASE, due=due)
