"""The numbers that stand for states and outcomes, and the columns that statements share."""

from __future__ import annotations

from typing import Final

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

# ---- columns, in the order in which rules give and get them; ``key`` names the row

INSERTED: Final = (
    "id", "state", "grp", "name", "priority", "due", "created", "retention", "expires",
    "unique_key", "unique_slot", "lock_key", "lock_limit", "options", "labels", "data",
)  # fmt: skip

CLAIMED: Final = (
    "key", "id", "grp", "name", "data", "due", "created", "priority", "retry_count", "retention",
    "expires", "unique_key", "unique_slot", "lock_key", "lock_limit", "options", "labels",
    "attempt", "losses",
)  # fmt: skip

LOADED: Final = (
    "key", "id", "state", "grp", "due", "token", "attempt", "retry_count", "losses", "cancelling",
    "settled", "worker_id", "began", "retention", "expires", "unique_key", "unique_slot",
    "lock_key", "options", "failure", "history",
)  # fmt: skip

SAVED: Final = (
    "state", "due", "attempt", "retry_count", "losses", "cancelling", "settled", "worker_id",
    "began", "done", "purge_at", "expires", "unique_slot", "failure", "history", "result",
)  # fmt: skip

RECORDED: Final = (
    "id", "state", "grp", "name", "priority", "due", "created", "retention", "token", "attempt",
    "retry_count", "losses", "cancelling", "worker_id", "began", "done", "expires", "unique_key",
    "lock_key", "lock_limit", "options", "labels", "failure", "history", "progress", "data",
    "result",
)  # fmt: skip

LIMITED: Final = ("grp", "max_running", "rate_limit", "rate_period", "max_queue_size")

CONTENTS: Final = ("task", "worker", "schedule", "pause", "limits", "rate", "turn", "discard")
"""The tables that hold what users put in; ``clear`` empties these."""
