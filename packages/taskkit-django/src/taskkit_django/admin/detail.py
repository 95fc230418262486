"""All that the store knows about one task, as its page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from taskkit.clock import SECOND
from taskkit.errors import BackendError
from taskkit.records import Record
from taskkit.task import UNCLAIMED, Failure, State
from taskkit_django.admin import redaction
from taskkit_django.admin.showing import bare_name, exact, lasting
from taskkit_django.kit import kit
from taskkit_django.tracebacks import without_ours


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt that has ended."""

    number: int
    began: str
    took: str
    worker: str
    outcome: str
    failure: Failure | None


@dataclass(frozen=True, slots=True)
class Detail:
    """A task's page."""

    record: Record
    name: str
    facts: Sequence[tuple[str, str]]
    arguments: Sequence[tuple[str, str]]
    result: str
    progress: str
    labels: Sequence[tuple[str, Any]]
    history: Sequence[Run]
    can_retry: bool
    can_cancel: bool

    @property
    def failure(self) -> Failure | None:
        """Why it failed: of a task that is to run again, its last attempt's reason."""
        if self.record.failure is not None:
            return readable(self.record.failure)
        return self.history[0].failure if self.history else None


_OUTCOMES: Final = {
    "succeed": "succeeded",
    "fail": "failed",
    "retry": "failed, to be retried",
    "cancel": "cancelled",
    "lost": "lost: its worker died",
    "lose": "lost: its process died",
}
_AGAIN: Final = {State.FAILED, State.LOST, State.CANCELLED, State.WAITING}


def detail(task_id: str) -> Detail | None:
    """Return a task's page; None if the store does not know it."""
    try:
        record = kit().backend.get([task_id]).get(task_id)
    except BackendError:
        return None
    if record is None:
        return None
    task = record.task
    return Detail(
        record=record,
        name=bare_name(task.name),
        facts=[(name, value) for name, value in _facts(record) if value not in ("", "–")],
        arguments=redaction.arguments(task.name, task.data),
        result=redaction.text(record.result),
        progress=redaction.text(record.progress),
        labels=redaction.labels(task.labels),
        history=[_run(each) for each in reversed(record.history)],
        can_retry=record.state in _AGAIN,
        can_cancel=record.state in UNCLAIMED or record.state is State.RUNNING,
    )


def _facts(record: Record) -> list[tuple[str, str]]:
    task = record.task
    return [
        ("Group", task.group),
        ("Put", exact(task.created)),
        ("Due", exact(task.due)),
        ("Asked for by the tick", exact(task.scheduled)),
        ("Began", exact(record.began)),
        ("Ended", exact(record.done)),
        ("Took", lasting(record.began, record.done)),
        ("Worker", record.worker_id or ""),
        ("Attempts", str(record.attempt)),
        ("Retries", str(task.retry_count) if task.retry_count else ""),
        ("Workers lost", str(record.losses) if record.losses else ""),
        ("Priority", str(task.priority)),
        ("Timeout", "" if task.timeout is None else f"{task.timeout:g} s"),
        ("Expires", exact(task.expires)),
        ("Unique key", task.unique_key or ""),
        ("Lock key", task.lock_key or ""),
        ("Kept until", "" if record.done is None else exact(record.done + int(task.ttl * SECOND))),
        ("Full name", task.name),
    ]


def _run(attempt: Any) -> Run:
    return Run(
        attempt.attempt,
        exact(attempt.began),
        lasting(attempt.began, attempt.ended),
        attempt.worker_id,
        _OUTCOMES.get(str(attempt.outcome), str(attempt.outcome)),
        None if attempt.failure is None else readable(attempt.failure),
    )


def readable(failure: Failure) -> Failure:
    """Return a failure whose traceback begins where the project's own code does."""
    return replace(failure, traceback=without_ours(failure.traceback))
