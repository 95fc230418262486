"""The data that crosses the Backend protocol beside the task itself: frozen, without behaviour."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from taskkit.task import NOW, Failure, Instant, Label, State, Task


@dataclass(frozen=True, slots=True)
class PutResult:
    """What ``put`` did with one task."""

    id: str
    """The id that stands: the task's own, or that of the task that holds its unique key."""
    status: Literal["put", "known", "duplicate"] = "put"


# ---- claims and how they end


@dataclass(frozen=True, slots=True)
class Claim:
    """The exclusive right of one worker to one attempt of one task."""

    task: Task
    token: int
    """Fences: grows with every claim of the task; a settlement must show it."""
    attempt: int
    """How often the task was claimed, this one included, releases not counted."""
    losses: int
    """How often a worker died with the task."""
    began: int
    """When it was claimed."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The answer to ``claim``."""

    claims: Sequence[Claim] = ()
    next_due: int | None = None
    """When, at the earliest, something more becomes claimable in the wanted groups by itself."""
    now: int = 0
    """The store's now, to which ``next_due`` is to be compared."""
    alive: bool = True
    """False: the worker is unknown or its lease has expired, and nothing was claimed."""


class Outcome(StrEnum):
    """How a claim ends."""

    SUCCEED = "succeed"
    FAIL = "fail"
    RETRY = "retry"
    """Back to the queue, ``retry_count`` + 1, any earlier outcome cleared."""
    DISCARD = "discard"
    """Removed without trace."""
    RELEASE = "release"
    """Given back: queued again as if it had not been claimed; the attempt does not count."""
    CANCEL = "cancel"
    """The worker ended it because it was asked to."""
    LOSE = "lose"
    """The child process that ran it died: the task fares as with ``reclaim``."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of one claim."""

    task_id: str
    token: int
    outcome: Outcome
    result: bytes = b""
    """For ``SUCCEED``."""
    failure: Failure | None = None
    """For ``FAIL``, ``RETRY`` and ``CANCEL``; kept in the history."""
    due: Instant | None = NOW
    """For ``RETRY`` and ``RELEASE``: when it may be claimed again. None leaves it unchanged."""


# ---- workers


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker says of itself when it registers."""

    id: str
    groups: Mapping[str, int]
    """Slots for each group."""
    host: str = ""
    pid: int = 0
    version: str = ""


@dataclass(frozen=True, slots=True)
class WorkerRecord:
    """A worker as the store sees it."""

    info: WorkerInfo
    registered: int
    expires: int
    """The end of its lease."""
    running: int
    """Claims that it has not settled."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a worker learns with its heartbeat."""

    alive: bool
    cancelled: frozenset[str] = frozenset()
    """Held tasks that somebody asked to cancel."""
    void: frozenset[str] = frozenset()
    """Held tasks whose claim no longer stands: deleted, or taken back."""
    paused: frozenset[str] = frozenset()
    """Groups of which nothing is to be claimed; ``"*"`` is all of them."""
    stopped: frozenset[str] = frozenset()
    """Groups that the worker is to stop serving; ``"*"`` is all of them."""


ALL_GROUPS: Final = "*"
"""Stands for every group in a pause or stop. No group can be called so (``limits.check_group``)."""


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """What one ``reclaim`` did."""

    tasks: int
    workers: Collection[str] = ()
    """Ids of the workers that were removed."""


# ---- reading


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that has ended."""

    attempt: int
    began: int
    ended: int
    worker_id: str
    outcome: Outcome | Literal["lost"]
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """All that the store knows about a task."""

    task: Task
    state: State
    attempt: int = 0
    losses: int = 0
    token: int = 0
    worker_id: str | None = None
    """Who runs it now; None unless running."""
    began: int | None = None
    """When the current or last attempt was claimed."""
    done: int | None = None
    """When it finished."""
    result: bytes | None = None
    """None unless succeeded; ``b""`` is a result."""
    failure: Failure | None = None
    """Why it failed, was lost or cancelled; None otherwise."""
    cancelling: bool = False
    """Running, and somebody asked to cancel it."""
    progress: bytes | None = None
    history: Sequence[Attempt] = ()
    """Ended attempts, oldest first, the newest ``max_history`` kept. Releases leave no entry."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which tasks ``find`` is to return: those that match all that is given."""

    group: str | None = None
    subgroups: bool = False
    """With ``group``: its subgroups too."""
    states: Collection[State] | None = None
    name: str | None = None
    labels: Mapping[str, Label] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Some tasks, and where to go on."""

    records: Sequence[Record]
    next: str | None
    """Pass it as ``after``; None on the last page."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many tasks of a group are in a state."""

    group: str
    state: State
    count: int
    oldest_due: int | None = None
    """The smallest ``due`` among them."""


class Answered(StrEnum):
    """What an operation did with one task."""

    DONE = "done"
    REQUESTED = "requested"
    """It was running: its worker has been asked."""
    REFUSED = "refused"
    """Its state does not allow it; nothing changed."""
    UNKNOWN = "unknown"
    """The store does not know it."""


# ---- control and schedules


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``limit`` claims in any ``period`` seconds, however the window is laid."""

    limit: int
    period: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one group, held across all workers; None is no limit."""

    max_running: int | None = None
    rate: Rate | None = None
    max_queue_size: int | None = None


@dataclass(frozen=True, slots=True)
class Control:
    """What is paused and limited."""

    pauses: Mapping[str, int | None]
    """Group (``"*"``: all) to the instant at which the pause ends, None for "until resumed"."""
    limits: Mapping[str, Limits]


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """The stored state of a scheduler."""

    version: int
    state: bytes | None
    now: int
    """The store's now: ticks are reckoned by it, so that all schedulers agree."""


Wakeup: TypeAlias = Literal["push", "poll"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend offers. The conformance suite tests each, declared or not."""

    name: str
    durable: bool = False
    """What was acknowledged survives the death of every client."""
    shared: bool = False
    """Several processes can use one store at the same time."""
    wakeup: Wakeup = "poll"
    """How ``wait`` learns of puts of other processes."""
    transactional_put: bool = False
    """``put(within=…)`` joins the caller's transaction."""
    within: str = ""
    """What ``within`` accepts, in words, for error messages and docs."""
    history: bool = True
    time_resolution: int = 1
    """Microseconds; instants are rounded down to a multiple of it."""
    max_batch: int = 10_000
    """Tasks in one ``put``, ids in one call."""
    max_data_bytes: int = 1 << 30
    """Bytes of data, result or progress that the store can hold."""
