"""The tables, as Core sees them, and the numbers that stand for states and outcomes.

The statements that create them are in ``migrations/``; here is only what queries need. Every
name is made of the store's prefix, which has been checked to be an identifier.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from taskkit.records import Outcome
from taskkit.task import State

# A state's number says more than a State: whether a due task can be claimed (READY) or lies
# behind a lock (PARKED). Unclaimed ones are the smallest, so that one comparison finds them.
WAITING: Final = 0
READY: Final = 1
PARKED: Final = 2
RUNNING: Final = 3
SUCCEEDED: Final = 4
FAILED: Final = 5
LOST: Final = 6
CANCELLED: Final = 7

STATES: Final = (
    State.WAITING,
    State.QUEUED,
    State.QUEUED,
    State.RUNNING,
    State.SUCCEEDED,
    State.FAILED,
    State.LOST,
    State.CANCELLED,
)
"""The public state of each number."""

NUMBERS: Final = {
    State.RUNNING: RUNNING,
    State.SUCCEEDED: SUCCEEDED,
    State.FAILED: FAILED,
    State.LOST: LOST,
    State.CANCELLED: CANCELLED,
}
"""The number of each state that does not depend on the time."""

OUTCOMES: Final = {outcome: number for number, outcome in enumerate(Outcome, 1)}
"""What ``settled`` holds, so that a repeated settlement is recognised."""

TASK_COLUMNS: Final = (
    "seq",
    "id",
    "state",
    "grp",
    "name",
    "priority",
    "due",
    "created",
    "retention",
    "token",
    "attempt",
    "retry_count",
    "losses",
    "cancelling",
    "settled",
    "worker_id",
    "began",
    "done",
    "purge_at",
    "expires",
    "unique_key",
    "unique_slot",
    "lock_key",
    "lock_limit",
    "options",
    "labels",
    "failure",
    "history",
    "progress",
    "data",
    "result",
)


class Tables:
    """The tables of one store."""

    def __init__(self, prefix: str) -> None:
        def table(name: str, *columns: str) -> sa.TableClause:
            return sa.table(prefix + name, *map(sa.column, columns))

        self.prefix = prefix
        self.task = table("task", *TASK_COLUMNS)
        self.worker = table("worker", "id", "info", "registered", "expires", "mark", "stopped")
        self.schedule = table("schedule", "name", "version", "state")
        self.pause = table("pause", "grp", "until")
        self.limits = table(
            "limits", "grp", "max_running", "rate_limit", "rate_period", "max_queue_size"
        )
        self.rate = table("rate", "grp", "at", "claims")
        self.turn = table("turn", "want", "grp")
        self.discard = table("discard", "id", "token", "at")
        self.store = table("store", "one", "claims", "wakes", "controls")
        self.version = table("schema_version", "version", "step", "applied")

    def contents(self) -> tuple[sa.TableClause, ...]:
        """Return the tables that hold what users put in; ``clear`` empties these."""
        return (
            self.task,
            self.worker,
            self.schedule,
            self.pause,
            self.limits,
            self.rate,
            self.turn,
            self.discard,
        )
