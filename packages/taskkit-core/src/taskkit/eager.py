"""Running a task here and now instead of putting it: the same execution, without a queue."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from taskkit.clock import SystemClock
from taskkit.limits import check_tasks
from taskkit.records import Claim, Outcome
from taskkit.result import Result
from taskkit.specs import with_bytes
from taskkit.task import After, Instant, NewTask, Task

if TYPE_CHECKING:
    from taskkit.kit import Kit


def run_eagerly(kit: Kit, task: NewTask) -> Result[Any]:
    """Run a task in the calling thread and record its outcome.

    It never enters a queue: due and unique keys mean nothing here, and what would be retried
    fails. A discarded task leaves no record.
    """
    from taskkit.context import TaskContext
    from taskkit.worker.execution import Execution

    task = with_bytes(task)
    check_tasks([task], kit.max_data_bytes)
    now = SystemClock().now()
    claim = Claim(_as_claimed(task, now), token=1, attempt=1, losses=0, began=now)
    execution = Execution(kit.handler, kit.hooks, kit.max_data_bytes, "fail")
    settlement = execution.run(claim, TaskContext(claim, "eager"))
    if settlement.outcome is not Outcome.DISCARD:
        if settlement.outcome is not Outcome.SUCCEED:
            settlement = replace(settlement, outcome=Outcome.FAIL)
        kit.backend.record(task, settlement, now)
    return Result(kit, task.id)


def _as_claimed(task: NewTask, now: int) -> Task:
    fields = {name: getattr(task, name) for name in NewTask.__slots__}
    fields["due"] = _absolute(task.due, now)
    fields["expires"] = None if task.expires is None else _absolute(task.expires, now)
    return Task(**fields, created=now)


def _absolute(instant: Instant, now: int) -> int:
    return now + instant.delay if isinstance(instant, After) else instant
